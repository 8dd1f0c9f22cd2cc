"""Sections of other modules' records, on those that are published."""

from pathlib import Path

import pytest

from benchmarks.pages import PUBLISHED
from benchmarks.report.borrowed import borrowed
from benchmarks.report.results import read_results
from measuring.record import Measurement, Scalar, write_measurements
from tests.benchmarks.hand_made import MACHINE, STARTED, bench


def test_borrowed_sections_without_records_name_their_commands(tmp_path: Path) -> None:
    write_measurements(tmp_path / "a.jsonl", [bench()])
    found = borrowed(read_results(tmp_path), MACHINE)
    assert [section.anchor for section in found] == ["roofline", "operators", "claims"]
    for section in found:
        assert section.missing is not None
        assert list(section.commands) == [f"stride {section.anchor}"]


def test_roofline_without_peaks_of_these_threads_says_so(tmp_path: Path) -> None:
    copied: dict[str, Scalar] = {
        "what": "copy",
        "precision": "fp32",
        "size": 1 << 20,
        "bytes": 1 << 20,
    }
    records = [
        Measurement(
            name, {"threads": 1, "device": "cpu", **more}, bench().latencies, MACHINE, STARTED
        )
        for name, more in (("layer", dict[str, Scalar]()), ("peak", copied))
    ]
    write_measurements(tmp_path / "a.jsonl", records)
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
