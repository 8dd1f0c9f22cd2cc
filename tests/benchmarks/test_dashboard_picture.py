"""The picture of the dashboards: of the published record, and labelled as what it is."""

import json
from bisect import bisect_left
from typing import Any

import pytest

from benchmarks.dashboard_picture import LABEL, PICTURE, RECORD, description, draw, lines
from benchmarks.report.plots import house_style, svg
from monitoring.queries import queries
from service.metrics import SECONDS


@pytest.fixture(scope="module")
def record() -> Any:
    return json.loads(RECORD.read_text(encoding="utf-8"))


def test_picture_is_small_and_says_that_grafana_was_not_run() -> None:
    text = PICTURE.read_text(encoding="utf-8")

    assert len(text.encode()) < 300_000
    assert text.count(LABEL.replace("'", "&#39;")) + text.count(LABEL) >= 2  # seen, and read aloud


def test_picture_is_of_the_record(record: Any) -> None:
    text = PICTURE.read_text(encoding="utf-8")
    with house_style():
        drawn = svg(draw(record), "monitoring-overview", description(record))

    # Paths, not the heat map's pixels, which depend on how they are compressed.
    assert [part for part in drawn.split("<") if part.startswith(("path", "text"))] == [
        part for part in text.split("<") if part.startswith(("path", "text"))
    ]


def test_record_has_the_queries_of_the_dashboards(record: Any) -> None:
    asked = {
        (query.dashboard, query.panel, query.legend)
        for name in ("overview", "latency")
        for query in queries(name)
    }
    for query in record["panels"]:
        assert (query["dashboard"], query["panel"], query["legend"]) in asked


def test_record_has_figures_for_every_panel(record: Any) -> None:
    for panel in {query["panel"] for query in record["panels"]}:
        dashboard = next(q["dashboard"] for q in record["panels"] if q["panel"] == panel)
        assert lines(record, panel, dashboard=dashboard), panel


def test_percentiles_by_prometheus_are_within_a_bucket_of_those_of_loadtest(record: Any) -> None:
    compared = 0
    for run in record["runs"]:
        if "--rate" in run["words"]:
            continue  # counts from when requests were due, before the service had them
        for name, seen in run["reported"].items():
            if seen is not None:
                computed = run["computed"][name]
                distance = abs(bisect_left(SECONDS, computed) - bisect_left(SECONDS, seen))
                assert distance <= 1, (run["model"], name, seen, computed)
                compared += 1
    assert compared >= 6
