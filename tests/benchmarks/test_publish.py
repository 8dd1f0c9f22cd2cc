"""What is committed of long measurements: small, and with the same sums."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.pieces import PIECE
from benchmarks.publish import condensed, publish, publishable
from benchmarks.roofline import LAYER
from measuring.latencies import latencies
from measuring.record import Measurement, read_measurements, write_measurements
from tests.benchmarks.hand_made import MACHINE, STARTED


def layer(kind: str, shape: str, seconds: float) -> Measurement:
    return Measurement(
        LAYER,
        {
            "network": "net", "runtime": "openvino", "threads": 1, "batch": 1, "kind": kind,
            "shape": shape, "count": 1, "macs": 100, "bytes": 10, PIECE: "layers net, full",
        },
        latencies([seconds, 2 * seconds, seconds]),
        MACHINE,
        STARTED,
    )  # fmt: skip


def test_little_operations_of_a_kind_become_one() -> None:
    some = [layer("pool", "a", 0.5), layer("pool", "b", 0.01), layer("pool", "c", 0.02)]

    large, small = condensed(some, least=0.1)

    assert large is some[0]
    assert small.settings["shape"] == "2 shapes"
    assert [small.settings[key] for key in ("count", "macs", "bytes")] == [2, 200, 20]
    assert small.latencies.samples is not None
    np.testing.assert_allclose(small.latencies.samples, [0.03, 0.06, 0.03])


def test_a_kind_with_one_little_operation_keeps_its_shape() -> None:
    (_, small) = condensed([layer("pool", "a", 1.0), layer("add", "b", 0.01)], least=0.1)

    assert small.settings["shape"] == "b"


def test_quick_runs_are_not_published() -> None:
    quick = replace(layer("add", "a", 1.0), settings={PIECE: "layers net, quick"})

    assert publishable([quick]) == []
    (full,) = publishable([layer("add", "a", 1.0)])
    assert PIECE not in full.settings
    assert not full.latencies.raw
    assert full.latencies.percentile(50.0) == pytest.approx(1.0, rel=0.03)


def test_published_file_has_no_samples_beside_it(tmp_path: Path) -> None:
    source, target = tmp_path / "all.jsonl", tmp_path / "published" / "all.jsonl"
    write_measurements(source, [layer("add", "a", 1.0)])

    publish(source, target)

    assert [m.settings["kind"] for m in read_measurements(target)] == ["add"]
    assert [path.name for path in target.parent.iterdir()] == ["all.jsonl"]
