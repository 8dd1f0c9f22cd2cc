"""The table and the document, from numbers made by hand."""

import json
from dataclasses import replace
from io import StringIO
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from demo.model import Model
from demo.summary import Row, document_of, failure_lines, remarks, row_of, table_of
from demo.traffic import Tally
from measuring.machine import fingerprint

MODEL = Model(
    id="fasternet_t0-onnx-fp32",
    network="fasternet_t0",
    trained=True,
    published_top1=None,
    size=10_600_000,
    runtime="onnxruntime",
)


def tally(count: int = 700, *, correct: int = 0, labelled: int = 0, **more: Any) -> Tally:
    """Latencies of 1, 2, 3, ... ms."""
    seconds = (np.arange(1, count + 1) / 1e3).tolist()
    return Tally(MODEL.id, seconds=seconds, correct=correct, labelled=labelled, busy=3.5, **more)


def printed(*rows: Row, width: int = 80) -> str:
    screen = StringIO()
    Console(file=screen, width=width).print(table_of(rows))
    return screen.getvalue()


def test_row_has_percentiles_that_occurred_and_throughput() -> None:
    row = row_of(MODEL, tally(700, correct=693, labelled=700))

    assert (row.p50, row.p99) == (0.350, 0.693)
    assert row.images_per_second == 200.0
    assert (row.top1, row.top1_origin, row.requests, row.failures) == (0.99, "measured", 700, 0)


def test_row_claims_no_p99_from_few_requests() -> None:
    row = row_of(MODEL, tally(661))

    assert row.p50 is not None
    assert row.p99 is None


def test_row_counts_failures_among_the_requests() -> None:
    row = row_of(MODEL, tally(10, correct=9, labelled=12, failures=["HTTP 503: full"] * 2))

    assert (row.requests, row.failures, row.top1) == (12, 2, 0.75)


def test_row_takes_the_published_accuracy_where_nothing_has_a_label() -> None:
    model = replace(MODEL, published_top1=0.719)

    row = row_of(model, tally())

    assert (row.top1, row.top1_origin) == (0.719, "published")


def test_row_without_any_answer_has_no_latency() -> None:
    row = row_of(MODEL, Tally(MODEL.id, failures=["no answer"], labelled=1))

    assert (row.p50, row.p99, row.images_per_second, row.top1) == (None, None, 0.0, 0.0)


def test_table_shows_measured_accuracy_with_its_number_of_pictures() -> None:
    text = printed(row_of(MODEL, tally(719, correct=705, labelled=719)))

    assert "98.1% (719)" in text
    assert "fasternet_t0" in text
    for column in ("360.0", "712.0", "205", "10.6"):
        assert column in text


def test_table_says_what_is_published_and_what_is_untrained() -> None:
    published = replace(MODEL, published_top1=0.719)
    untrained = replace(MODEL, trained=False)

    text = printed(row_of(published, tally()), row_of(untrained, tally()))

    assert "71.9% (published)" in text
    assert "untrained" in text


def test_table_keeps_the_names_whole_on_a_narrow_screen() -> None:
    model = replace(MODEL, network="shufflenet_v2_x1_0")

    text = printed(row_of(model, tally(719, correct=705, labelled=719)), width=80)

    assert "shufflenet_v2_x1_0" in text


def test_remarks_name_the_arrival_process_and_the_machine() -> None:
    machine = fingerprint()

    text = "\n".join(remarks((row_of(MODEL, tally(719, labelled=719)),), machine, 8))

    assert "8 clients in a closed loop, 719 requests per network" in text
    assert machine.processor.model in text
    assert "p99" not in text


@pytest.mark.parametrize(
    ("change", "count", "expected"),
    [
        pytest.param({}, 100, "p99 is left out below 662 good answers", id="few"),
        pytest.param({"published_top1": 0.7}, 700, "not measured here", id="published"),
        pytest.param({"trained": False}, 700, "labels mean nothing", id="untrained"),
    ],
)
def test_remarks_say_what_the_numbers_do_not(
    change: dict[str, Any], count: int, expected: str
) -> None:
    row = row_of(replace(MODEL, **change), tally(count))

    assert expected in "\n".join(remarks((row,), fingerprint(), 8))


def test_failure_lines_count_equal_reasons() -> None:
    failed = tally(1, failures=["HTTP 503: full", "no answer", "HTTP 503: full"])

    assert failure_lines((failed,)) == (
        "fasternet_t0-onnx-fp32: 2 of the requests failed: HTTP 503: full",
        "fasternet_t0-onnx-fp32: 1 of the requests failed: no answer",
    )
    assert failure_lines((tally(),)) == ()


def test_document_is_json_in_seconds_and_bytes() -> None:
    row = row_of(MODEL, tally(700, correct=693, labelled=700))

    document = json.loads(json.dumps(document_of((row,), fingerprint(), weights="digits")))

    assert document["weights"] == "digits"
    assert document["networks"][0]["p50"] == 0.350
    assert document["networks"][0]["size"] == 10_600_000
    assert document["machine"]["processor"]["model"]


def test_table_fits_into_80_columns() -> None:
    row = row_of(MODEL, tally(719, correct=711, labelled=719))
    row = replace(row, network="shufflenet_v2_x1_0", size=105_100_000, images_per_second=12_345.0)

    heading, _, line = printed(row).splitlines()

    assert heading.split("  ")[0].strip() == "network"
    assert "top-1 over HTTP (n)" in heading
    assert "artifact MB" in heading
    assert line.startswith("shufflenet_v2_x1_0 ")
    assert line.rstrip().endswith(" 105.1")
