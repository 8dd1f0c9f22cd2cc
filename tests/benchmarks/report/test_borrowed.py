"""Sections of other modules' records, on those that are published."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.pages import PUBLISHED
from benchmarks.report.borrowed import borrowed
from benchmarks.report.results import read_results
from measuring.record import Measurement, Scalar, write_measurements
from tests.benchmarks.hand_made import MACHINE, STARTED, bench

OTHER = replace(MACHINE, affinity=(0,))


def test_borrowed_sections_without_records_name_their_commands(tmp_path: Path) -> None:
    write_measurements(tmp_path / "a.jsonl", [bench()])
    found = borrowed(read_results(tmp_path), MACHINE)
    assert [section.anchor for section in found] == ["roofline", "operators", "claims"]
    for section in found:
        assert section.missing is not None
        assert list(section.commands) == [f"stride {section.anchor}"]


def layer(started: str = STARTED, **settings: Scalar) -> Measurement:
    """A convolution of 2 million multiply-accumulates in 3 ms."""
    usual: dict[str, Scalar] = {
        "network": "made", "runtime": "openvino", "device": "cpu", "threads": 1, "batch": 1,
        "kind": "regular", "operation": "Conv", "shape": "8x8x3x3 to 1x8x56x56", "count": 1,
        "macs": 2_000_000, "bytes": 1 << 20,
    }  # fmt: skip
    return Measurement("layer", usual | settings, bench().latencies, MACHINE, started)


def peak(settings: Mapping[str, Scalar], threads: int = 1) -> Measurement:
    """In 3 ms."""
    common: dict[str, Scalar] = {"threads": threads, "device": "cpu"}
    return Measurement("peak", {**common, **settings}, bench().latencies, MACHINE, STARTED)


def test_roofline_counts_each_network_once_under_the_roof_of_its_threads(tmp_path: Path) -> None:
    peaks: list[dict[str, Scalar]] = [
        {"what": "gemm", "precision": "fp32", "macs": 8_000_000},
        {"what": "copy", "precision": "fp32", "size": 1 << 20, "bytes": 1 << 23},
    ]
    records = [
        layer(piece="quick"),
        layer("2026-02-01T12:00:00+00:00", piece="full"),
        layer("2026-02-02T12:00:00+00:00", threads=2),
        layer("2026-02-02T12:00:00+00:00", batch=8, macs=16_000_000),
    ]
    write_measurements(tmp_path / "a.jsonl", [*records, *map(peak, peaks)])
    roofline, *_ = borrowed(read_results(tmp_path), MACHINE)
    networks = roofline.tables[0]
    (row,) = networks.rows
    assert networks.caption.endswith("batch 1.")
    assert row[:3] == ("made", "openvino", "2")
    assert row[-1] == "25%"


def test_claims_and_operators_of_another_machine_are_not_said_of_this_one(tmp_path: Path) -> None:
    fitted = Measurement("claim fit", {"trained": False}, bench().latencies, OTHER, STARTED)
    records = [bench(), replace(layer(), machine=OTHER), fitted]
    write_measurements(tmp_path / "a.jsonl", records)
    found = borrowed(read_results(tmp_path), MACHINE)
    assert all(section.missing is not None for section in found)


def test_operators_of_invalid_records_say_so(tmp_path: Path) -> None:
    settings: dict[str, Scalar] = {
        "table": "G1", "operator": "1:1", "channels": 8, "side": 7, "layers": 10,
        "runtime": "torch", "device": "cpu", "threads": 1, "batch": 1, "macs": 100, "bytes": 10,
        "seconds": 0.003, "seconds low": 0.002, "seconds high": 0.004,
    }  # fmt: skip
    whole = Measurement("operator", settings, bench().latencies, MACHINE, STARTED)
    stamped = replace(
        whole,
        settings={**settings, "operator": "1:2"},
        reasons=("other load: others took 24%", "noise: the middle half spans 20%"),
    )
    write_measurements(tmp_path / "a.jsonl", [whole, stamped])
    _, operators, _ = borrowed(read_results(tmp_path), MACHINE)
    (note,) = operators.notes
    assert note.startswith("1 of 2 records are marked INVALID (other load, noise) and used")


def test_roofline_without_peaks_of_these_threads_says_so(tmp_path: Path) -> None:
    copied: dict[str, Scalar] = {
        "what": "copy",
        "precision": "fp32",
        "size": 1 << 20,
        "bytes": 1 << 20,
    }
    write_measurements(tmp_path / "a.jsonl", [layer(), peak(copied)])
    roofline, *_ = borrowed(read_results(tmp_path), MACHINE)
    assert roofline.missing is not None
    assert "no peaks of fp32" in roofline.missing


@pytest.mark.parametrize("name", ["roofline", "operators"])
def test_borrowed_sections_have_pictures_or_tables_of_published_records(
    name: str, tmp_path: Path
) -> None:
    path = PUBLISHED / f"{name}.jsonl"
    if not path.exists():
        pytest.skip(f"{path} is not published")
    (tmp_path / path.name).write_bytes(path.read_bytes())
    results = read_results(tmp_path)
    (section,) = [it for it in borrowed(results, results.runs[0].machine) if it.anchor == name]
    assert section.missing is None
    assert len(section.tables) >= 3
    assert all(rows for rows in (table.rows for table in section.tables))
    assert bool(section.figures) == (name == "roofline")
