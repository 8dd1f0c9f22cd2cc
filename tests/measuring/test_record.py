import dataclasses
from pathlib import Path

import numpy as np
import pytest

from measuring.errors import InputError
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.record import (
    Measurement,
    Scalar,
    append_measurements,
    now,
    read_measurements,
    write_measurements,
)

MACHINE = fingerprint()


def measured(
    name: str = "resnet18", samples: object = (0.25, 0.5), **settings: Scalar
) -> Measurement:
    return Measurement(
        name=name,
        settings=settings,
        latencies=latencies(samples, blocks=[0, 1]),  # type: ignore[arg-type]
        machine=MACHINE,
        started="2026-01-31T12:00:00+00:00",
    )


def test_write_measurements_are_read_back_with_their_samples(tmp_path: Path) -> None:
    path = tmp_path / "new" / "run.jsonl"
    written = measured(batch=4, precision="fp32", share=0.5, trained=True, note=None)
    write_measurements(path, [written, measured("other", (1.0, 2.0))])
    one, other = read_measurements(path)
    assert one.settings == written.settings
    assert {k: type(v) for k, v in one.settings.items()} == {
        k: type(v) for k, v in written.settings.items()
    }
    assert (one.name, one.started, one.machine) == (written.name, written.started, MACHINE)
    assert one.latencies.samples is not None
    assert one.latencies.samples.tolist() == [0.25, 0.5]
    assert one.latencies.blocks is not None
    assert one.latencies.blocks.tolist() == [0, 1]
    assert one.latencies.histogram == written.latencies.histogram
    assert other.latencies.percentile(90) == 2.0


def test_read_measurements_without_samples_says_that_only_the_histogram_is_there(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.jsonl"
    write_measurements(path, [measured()])
    path.with_suffix(".npz").unlink()
    (read,) = read_measurements(path)
    assert not read.latencies.raw
    assert read.latencies.count == 2
    assert read.latencies.summary["max"] == 0.5
    assert read.latencies.percentile(90) == pytest.approx(0.5, rel=0.0201)


def test_measurement_with_reasons_stays_invalid_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    doubtful = dataclasses.replace(measured(), reasons=("load average 9.5 on 2 cores",))
    write_measurements(path, [doubtful])
    (read,) = read_measurements(path)
    assert not read.valid
    assert read.reasons == ("load average 9.5 on 2 cores",)
    assert '"valid":false' in path.read_text()


def test_append_measurements_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    append_measurements(path, [measured("first")])
    append_measurements(path, [measured("second", (3.0, 4.0))])
    first, second = read_measurements(path)
    assert (first.name, second.name) == ("first", "second")
    assert first.latencies.percentile(90) == 0.5
    assert second.latencies.percentile(90) == 4.0


def test_append_measurements_after_samples_were_thrown_away_keeps_histograms(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.jsonl"
    write_measurements(path, [measured("first")])
    path.with_suffix(".npz").unlink()
    append_measurements(path, [measured("second")])
    first, second = read_measurements(path)
    assert not first.latencies.raw
    assert second.latencies.raw


def test_write_measurements_leaves_no_partial_file(tmp_path: Path) -> None:
    write_measurements(tmp_path / "run.jsonl", [measured()])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.jsonl", "run.npz"]


def test_write_measurements_of_the_same_is_the_same_lines(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    write_measurements(path, [measured()])
    before = path.read_bytes()
    write_measurements(path, read_measurements(path))
    assert path.read_bytes() == before


def test_read_measurements_half_written_last_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    write_measurements(path, [measured(), measured()])
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"line 2 is half-written, .* use the 1 before it"):
        read_measurements(path)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param("{}", "line 1 is no measurement: name: Field required", id="empty-record"),
        pytest.param("<html>", "line 1 is no measurement: the line: Invalid JSON", id="no-json"),
    ],
)
def test_read_measurements_damaged_line_is_named(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match=told):
        read_measurements(path)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param('"schema":1', '"schema":2', "schema 2, expected 1", id="schema"),
        pytest.param('"counts":[1,', '"counts":[', "one edge more than counts", id="histogram"),
        pytest.param('"started":"2026', '"started":"soon', "expected an ISO 8601", id="time"),
        pytest.param('"count":2', '"count":3', "counts 3 latencies, its histogram 2", id="count"),
    ],
)
def test_read_measurements_record_that_cannot_be_is_refused(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    path = tmp_path / "run.jsonl"
    write_measurements(path, [measured()])
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=told):
        read_measurements(path)


def test_read_measurements_samples_of_another_run_are_refused(tmp_path: Path) -> None:
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    write_measurements(one, [measured()])
    write_measurements(other, [measured(samples=(7.0, 8.0))])
    other.with_suffix(".npz").replace(one.with_suffix(".npz"))
    with pytest.raises(InputError, match=r"is not the one written with one\.jsonl"):
        read_measurements(one)


@pytest.mark.parametrize("data", [b"", b"PK", b"no archive at all"])
def test_read_measurements_damaged_samples_are_told(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "run.jsonl"
    write_measurements(path, [measured()])
    path.with_suffix(".npz").write_bytes(data)
    with pytest.raises(InputError, match="holds no readable samples"):
        read_measurements(path)


def test_read_measurements_of_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_measurements(tmp_path / "none.jsonl")


def test_write_measurements_elsewhere_than_jsonl_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"files that end in \.jsonl"):
        write_measurements(tmp_path / "run.json", [])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1], b"raw", {"a": 1}])
def test_measurement_setting_that_is_no_scalar_is_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"setting .batch. is .*, expected text, a finite number"):
        measured(batch=value)  # type: ignore[arg-type]


def test_measurement_without_a_name_is_refused() -> None:
    with pytest.raises(InputError, match="without a name"):
        measured("")


def test_measurement_started_now_is_accepted() -> None:
    assert dataclasses.replace(measured(), started=now()).valid


def test_write_measurements_of_many_samples_keeps_the_line_small(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    samples = np.random.default_rng(0).gamma(9.0, 0.001, 20_000)
    many = dataclasses.replace(measured(), latencies=latencies(samples))
    write_measurements(path, [many])
    assert path.stat().st_size < 12_000
    (read,) = read_measurements(path)
    assert read.latencies.blocks is None
    np.testing.assert_array_equal(read.latencies.samples, samples)
