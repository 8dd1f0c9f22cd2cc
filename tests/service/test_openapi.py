"""The OpenAPI document is valid and whole, and the service behaves as it says, whatever comes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.answers import ErrorAnswer
from tests.inference.test_decode_damaged import FILES
from tests.service.fakes import FakeEngine
from tests.service.local_service import LocalService
from tests.service.process import ServiceProcess
from tests.tiny import write_tiny

EXAMPLES = 20
"""Requests for each operation that are meant to be right, and as many that are not."""
CHECKS: list[Any] = [
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    repository = tmp_path_factory.mktemp("artifacts")
    write_tiny(repository)
    service = ServiceProcess(
        repository, "--drain-delay", "0", "--max-body-bytes", "100000", "--timeout", "5"
    ).wait_until_ready()
    yield service
    assert service.stop() == 0, service.text
    assert "Traceback" not in service.text


@pytest.fixture(scope="module")
def document(service: ServiceProcess) -> dict[str, Any]:
    described: dict[str, Any] = service.client.get("/openapi.json").json
    return described


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def test_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    schemathesis.openapi.from_dict(document).validate()


def test_document_has_every_address() -> None:
    """As the router knows them, which is asked for every other method."""
    service = LocalService(FakeEngine())
    described = service.client.get("/openapi.json").json["paths"]
    service.stop()

    assert set(described) == {
        "/healthz", "/readyz", "/metrics", "/v1/classify", "/v1/compare", "/v1/models",
        "/v1/models/{model}", "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/stats",
        "/v2/repository/index", "/v2/repository/models/{model}/load",
        "/v2/repository/models/{model}/unload",
        *(f"/v2/models/{{model}}{version}{rest}" for version in ("", "/versions/{version}")
          for rest in ("", "/ready", "/config", "/stats", "/infer")),
    }  # fmt: skip


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert operation.get("summary"), where
        assert operation.get("description"), where
        named = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path)), where
        if method == "post":
            assert operation["requestBody"]["content"], where
        assert {"200", "default"} <= set(operation["responses"]), where
        for status, answer in operation["responses"].items():
            assert answer["description"], f"{where} {status}"
            if status != "200":
                (content,) = answer["content"].values()
                assert content["schema"]["$ref"].endswith(ErrorAnswer.__name__), f"{where} {status}"


def test_every_operation_says_whether_it_asks_for_a_key(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        asks = path.startswith(("/v1", "/v2")) and not path.startswith("/v2/health")
        assert ("security" in operation) == asks, path
        assert ({"401", "429"} <= set(operation["responses"])) == asks, path


def damaged(draw: st.DrawFn) -> bytes:
    """A picture file with some bits flipped, cut off somewhere."""
    data = bytearray(FILES[draw(st.sampled_from(sorted(FILES)))])
    for at in draw(st.lists(st.integers(0, len(data) - 1), max_size=4)):
        data[at] ^= draw(st.integers(1, 255))
    return bytes(data[: draw(st.sampled_from([len(data), len(data) // 2, 30]))])


def test_service_answers_whatever_comes_as_described(
    service: ServiceProcess, document: dict[str, Any]
) -> None:
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=service.url)
    statuses: set[int] = set()
    for method, path, _ in operations(document):
        operation = schema[path][method]
        statuses |= fuzz(operation.as_strategy(path_parameters={"model": "tiny", "version": "1"}))
        with suppress(Unsatisfiable):  # nothing about it can be wrong
            statuses |= fuzz(operation.as_strategy(GenerationMode.NEGATIVE))

    assert {200, 400, 403, 404, 415} <= statuses


@pytest.mark.parametrize("path", ["/v1/classify", "/v1/compare"])
def test_service_answers_damaged_pictures_as_described(
    service: ServiceProcess, document: dict[str, Any], path: str
) -> None:
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=service.url)
    cases = schema[path]["POST"].as_strategy()

    assert {200, 400, 422} <= fuzz(cases, st.composite(damaged)(), examples=150)


def fuzz(
    cases: st.SearchStrategy[schemathesis.Case[Any]],
    pictures: st.SearchStrategy[bytes] | None = None,
    examples: int = EXAMPLES,
) -> set[int]:
    """The statuses of the answers, each of which is as the document says."""
    statuses = set()

    @seed(20260101)
    @settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(cases, st.none() if pictures is None else pictures, st.booleans())
    def ask(case: schemathesis.Case[Any], picture: bytes | None, known: bool) -> None:
        if known:  # what is drawn for these names no model
            case.query.pop("model", None)
            case.query.pop("models", None)
        if picture is not None:
            case.body, case.media_type = picture, "application/octet-stream"
            case.headers.pop("Content-Encoding", None)
        answer = case.call(timeout=20)
        case.validate_response(answer, checks=CHECKS)
        assert answer.status_code < 500 or answer.status_code in {501, 503, 504}, answer.content
        statuses.add(answer.status_code)

    ask()
    return statuses
