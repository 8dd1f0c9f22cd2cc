import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.service.client import Client, png
from tests.service.process import ServiceProcess
from tests.tiny import write_tiny

STAGES = {"receive", "decode", "resize", "queue", "inference", "respond"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A service with two models, one of them under an alias."""
    repository = tmp_path_factory.mktemp("artifacts")
    write_tiny(repository, "first")
    write_tiny(repository, "second", classes=3, seed=5, trained=True)
    service = ServiceProcess(
        repository, "--model", "prod=first-onnx-fp32", "--model", "second-onnx-fp32",
        "--max-body-bytes", "200000", "--drain-delay", "0",
    ).wait_until_ready()  # fmt: skip
    yield service.client
    assert service.stop() == 0, service.text


def test_classify_answers_with_labels_probabilities_and_timings(client: Client) -> None:
    reply = client.post("/v1/classify?model=first-onnx-fp32&k=32", png())

    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    answer = reply.json
    assert set(answer) == {"model", "trained", "predictions", "timings"}
    assert answer["model"] == "first-onnx-fp32"
    assert answer["trained"] is False
    probabilities = [prediction["probability"] for prediction in answer["predictions"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1)
    best = answer["predictions"][0]
    assert best["label"] == f"class {best['index']}"
    assert set(answer["timings"]) == STAGES
    assert all(0 <= seconds < 30 for seconds in answer["timings"].values())


def test_classify_names_the_stages_in_server_timing(client: Client) -> None:
    reply = client.post("/v1/classify?model=prod", png())

    entries = reply.headers["server-timing"].split(", ")
    assert [entry.partition(";")[0] for entry in entries] == [
        "receive", "decode", "resize", "queue", "inference", "respond", "total",
    ]  # fmt: skip
    assert all(re.fullmatch(r"[a-z]+;dur=\d+\.\d{3}", entry) for entry in entries)
    header = float(entries[4].partition("dur=")[2]) / 1e3
    assert header == pytest.approx(reply.json["timings"]["inference"], abs=1e-6)


@pytest.mark.parametrize("name", ["first-onnx-fp32", "prod", "first"])
def test_classify_finds_a_model_by_id_alias_or_name(client: Client, name: str) -> None:
    assert client.post(f"/v1/classify?model={name}", png()).json["model"] == "first-onnx-fp32"


def test_classify_takes_the_file_of_a_form(client: Client) -> None:
    plain = client.post("/v1/classify?model=prod", png(3)).json["predictions"]
    boundary = "b0undary"
    form = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    ).encode() + png(3) + f"\r\n--{boundary}--\r\n".encode()  # fmt: skip

    reply = client.post(
        "/v1/classify?model=prod", form,
        Content_Type=f"multipart/form-data; boundary={boundary}",
    )  # fmt: skip

    assert reply.status == 200, reply.data
    assert reply.json["predictions"] == plain


def test_classify_echoes_the_request_id(client: Client) -> None:
    reply = client.post("/v1/classify?model=prod", png(), X_Request_Id="job-17/3")

    assert reply.headers["x-request-id"] == "job-17/3"


@pytest.mark.parametrize(
    "received",
    [
        pytest.param("two words", id="with-a-space"),
        pytest.param("x" * 129, id="too-long"),
        pytest.param('"><script>', id="markup"),
    ],
)
def test_classify_replaces_an_unfit_request_id(client: Client, received: str) -> None:
    reply = client.get("/healthz", X_Request_Id=received)

    assert re.fullmatch(r"[0-9a-f]{24}", reply.headers["x-request-id"])


def test_compare_answers_side_by_side(client: Client) -> None:
    reply = client.post("/v1/compare?models=prod,second&k=2", png(4))

    assert reply.status == 200, reply.data
    results = reply.json["results"]
    assert [result["model"] for result in results] == ["first-onnx-fp32", "second-onnx-fp32"]
    assert [result["trained"] for result in results] == [False, True]
    for result in results:
        alone = client.post(f"/v1/classify?model={result['model']}&k=2", png(4)).json
        assert result["predictions"] == alone["predictions"]
        assert set(result["timings"]) == STAGES
    assert "inference;dur=" in reply.headers["server-timing"]
    assert ';desc="second-onnx-fp32"' in reply.headers["server-timing"]


def test_compare_takes_all_models_when_none_is_named(client: Client) -> None:
    assert len(client.post("/v1/compare", png()).json["results"]) == 2


def test_compare_names_a_model_once(client: Client) -> None:
    reply = client.post("/v1/compare?models=prod,first,first-onnx-fp32", png())

    assert [result["model"] for result in reply.json["results"]] == ["first-onnx-fp32"]


def test_models_tells_what_is_loaded_and_how_it_runs(client: Client) -> None:
    models = client.get("/v1/models").json["models"]

    first, second = models
    assert first["id"] == "first-onnx-fp32"
    assert set(first["aliases"]) == {"prod", "first"}
    assert second["aliases"] == ["second"]
    assert (first["classes"], second["classes"]) == (32, 3)
    assert first["runtime"] == "onnxruntime"
    assert first["instances"] >= 1
    assert first["max_batch"] >= 1
    assert first["manifest"]["weights"]["trained"] is False
    assert "labels" not in first["manifest"]


def test_model_shows_the_whole_manifest(client: Client) -> None:
    model = client.get("/v1/models/second").json

    assert model["manifest"]["labels"] == ["class 0", "class 1", "class 2"]
    assert model["manifest"]["input"]["size"] == 16


def test_service_says_that_it_is_alive_and_ready(client: Client) -> None:
    assert client.get("/healthz").json == {"status": "alive"}
    ready = client.get("/readyz")
    assert ready.status == 200
    assert ready.json["models"] == ["first-onnx-fp32", "second-onnx-fp32"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_status_addresses_answer_head(client: Client, path: str) -> None:
    reply = client.request("HEAD", path, None, {})

    assert reply.status == 200
    assert reply.data == b""


def test_page_of_the_addresses_is_there(client: Client) -> None:
    assert client.get("/docs").status == 200


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_classify_reads_photographs_of_every_kind(
    client: Client, kind: str, tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    photo = Image.fromarray(generator.integers(0, 255, (120, 90, 3), np.uint8))
    photo.save(tmp_path / "photo", kind)

    reply = client.post("/v1/classify?model=second", (tmp_path / "photo").read_bytes())

    assert reply.status == 200, reply.data
