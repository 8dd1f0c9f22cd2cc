from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.report.results import read_results
from measuring.errors import InputError, MissingError
from measuring.record import Measurement, Scalar, write_measurements
from tests.benchmarks.hand_made import MACHINE, bench

LATER = "2026-02-01T12:00:00+00:00"
OTHER = replace(MACHINE, affinity=(0,))


def test_results_the_newest_run_of_a_kind_is_taken_whatever_the_files_are_called(
    tmp_path: Path,
) -> None:
    write_measurements(tmp_path / "z.jsonl", [bench(run="old")])
    write_measurements(tmp_path / "deep" / "a.jsonl", [bench(run="new", started=LATER)] * 2)
    results = read_results(tmp_path)
    newest = results.newest("bench")
    assert newest is not None
    assert (newest.name, newest.started, len(newest.records)) == ("new", LATER, 2)
    assert results.newest("fit") is None
    assert results.records("fit") == ()


def test_results_a_run_on_this_machine_comes_before_a_newer_one_elsewhere(tmp_path: Path) -> None:
    write_measurements(tmp_path / "here.jsonl", [bench(run="here")])
    write_measurements(tmp_path / "there.jsonl", [bench(run="there", started=LATER, machine=OTHER)])
    results = read_results(tmp_path)
    for machine, name in ((MACHINE, "here"), (OTHER, "there"), (None, "there")):
        newest = results.newest("bench", machine)
        assert newest is not None
        assert newest.name == name


def test_results_records_of_another_machine_are_not_those_of_this_one(tmp_path: Path) -> None:
    write_measurements(tmp_path / "there.jsonl", [bench(machine=OTHER)])
    results = read_results(tmp_path)
    assert results.records("bench", MACHINE) == ()
    assert len(results.records("bench", OTHER)) == len(results.records("bench")) == 1


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("network", None, "it has no network"),
        ("batch", 0, "its batch is 0, expected a whole number from 1"),
        ("instances", 2.5, "its instances is 2.5, expected a whole number from 1"),
        ("threads", True, "its threads is True, expected a whole number from 1"),
        ("images_per_second", 0.0, "its images_per_second is 0.0, expected a number above 0"),
        ("ci_low", "abc", "its ci_low is 'abc', expected a number above 0"),
        ("accuracy", 72.0, "its accuracy is 72.0, expected a share between 0 and 1"),
    ],
)
def test_results_damaged_records_are_named_and_the_others_read(
    tmp_path: Path, setting: str, value: Scalar, words: str
) -> None:
    whole = bench()
    settings = {key: it for key, it in whole.settings.items() if key != setting}
    bad = replace(whole, settings=settings if value is None else settings | {setting: value})
    write_measurements(tmp_path / "a.jsonl", [whole, bad, bad])
    results = read_results(tmp_path)
    assert len(results.records("bench")) == 1
    told = f"a record named bench is left out: {words} (1 more like it)"
    assert results.unread == {"a.jsonl": told}


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("peak", {"what": "gemm"}, "it has no precision"),
        ("claim fit", {"layer": "a", "student": "partial", "trained": 1}, "expected true or false"),
        ("layer", {"runtime": "openvino"}, "it has no device"),
        ("operator", {"runtime": "openvino", "device": "cpu", "threads": 0}, "its threads is 0"),
    ],
)
def test_results_damaged_records_of_other_kinds_are_named(
    tmp_path: Path, kind: str, settings: dict[str, Scalar], words: str
) -> None:
    record = Measurement(kind, settings, bench().latencies, MACHINE, LATER)
    write_measurements(tmp_path / "a.jsonl", [record])
    results = read_results(tmp_path)
    assert results.runs == ()
    assert words in results.unread["a.jsonl"]


def test_results_records_without_a_run_are_those_of_their_file(tmp_path: Path) -> None:
    write_measurements(tmp_path / "a.jsonl", [bench(run=None), bench(run=None)])
    (run,) = read_results(tmp_path).runs
    assert (run.name, len(run.records)) == ("a.jsonl", 2)


def test_results_a_run_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    write_measurements(tmp_path / "a.jsonl", [bench(run="20260131-aa"), bench(run="20260131-bb")])
    results = read_results(tmp_path)
    assert results.named("20260131-a", "bench").name == "20260131-aa"
    with pytest.raises(InputError, match="'2026' is several: 20260131-bb, 20260131-aa"):
        results.named("2026", "bench")
    with pytest.raises(InputError, match="did you mean 20260131-bb"):
        results.named("20260131-bc", "bench")


def test_results_files_that_hold_no_records_are_named_and_the_others_read(tmp_path: Path) -> None:
    write_measurements(tmp_path / "good.jsonl", [bench()])
    (tmp_path / "bad.jsonl").write_text('{"something": "else"}\n')
    results = read_results(tmp_path)
    assert len(results.runs) == 1
    assert "line 1 is no measurement" in results.unread["bad.jsonl"]


def test_results_of_no_folder_say_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="make records with `stride bench`"):
        read_results(tmp_path / "nowhere")
