"""Load tests marked in Grafana, against a double of its annotations API."""

import socket
from collections.abc import Iterator

import pytest

from loadtest.annotation import Annotation, Grafana
from measuring.errors import InputError
from tests.loadtest.grafana_double import GrafanaDouble

GOOD = "glsa_good"


@pytest.fixture
def double() -> Iterator[GrafanaDouble]:
    started = GrafanaDouble(GOOD)
    yield started
    started.stop()


def marked(grafana: Grafana) -> list[str]:
    """The warnings of one load test of ten seconds."""
    warnings: list[str] = []
    annotation = Annotation(grafana, warnings.append)
    annotation.begin("stride loadtest gate: running", ["small"], seconds=1_800_000_000.0)
    annotation.end("stride loadtest gate: passed", seconds=1_800_000_010.5)
    return warnings


def test_region_from_start_to_end_with_the_tag(double: GrafanaDouble) -> None:
    assert marked(Grafana(double.url, GOOD)) == []

    assert double.requests == [
        (
            "POST",
            "/api/annotations",
            {
                "time": 1_800_000_000_000,
                "tags": ["stride-loadtest", "small"],
                "text": "stride loadtest gate: running",
            },
        ),
        (
            "PATCH",
            "/api/annotations/7",
            {"timeEnd": 1_800_000_010_500, "text": "stride loadtest gate: passed"},
        ),
    ]


def test_refusal_is_a_warning(double: GrafanaDouble) -> None:
    (warning,) = marked(Grafana(double.url, "glsa_bad"))

    assert "HTTP 401" in warning
    assert "STRIDE_GRAFANA_TOKEN" in warning
    assert "glsa_bad" not in warning
    assert len(double.requests) == 1


def test_grafana_that_is_not_there_is_a_warning() -> None:
    with socket.socket() as taken:  # and not listened on
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        (warning,) = marked(Grafana(url, ""))

    assert f"Grafana at {url} was not told of this load test" in warning


@pytest.mark.parametrize("url", ["localhost:3000", "ftp://localhost", "http://", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="expected one such as http://localhost:3000"):
        Grafana(url, "")


def test_token_of_other_characters_is_refused() -> None:
    with pytest.raises(InputError, match="STRIDE_GRAFANA_TOKEN"):
        Grafana("http://localhost:3000", "tökèn")
