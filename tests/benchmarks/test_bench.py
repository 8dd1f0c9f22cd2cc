"""Whole runs, with real engines in processes of their own."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.bench import Result, begin, carry_out, find_journal
from benchmarks.bench_journal import read_journal
from benchmarks.bench_pairs import read_pairs
from benchmarks.bench_plan import Effort, Sweep
from inference.artifact import Artifact, read_artifact
from inference.manifest import read_manifest, write_manifest
from inference.profiles import read_profile
from measuring.cores import available_cores
from measuring.errors import InputError, MissingError
from measuring.machine import fingerprint
from measuring.record import read_measurements
from service.loading import Chosen
from service.preference import prefer
from service.settings import ModelSpec
from tests.benchmarks.watchers import Killer, Onlooker, engine_processes
from tests.tiny import write_tiny
from tests.tiny_convolution import write_convolution

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BRIEF = Effort(blocks=4, seconds=0.0, rounds=2, percentile="p50")
SWEEP = Sweep(batches=(1, 2, 4), instances=(1, 2), threads=(1,), effort=BRIEF)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def artifacts(folder: Path) -> list[Artifact]:
    """Of two networks, one of which two runtimes open."""
    repository = folder / "artifacts"
    return [
        write_convolution(repository, "fp32"),
        read_artifact(write_tiny(repository, "other")),
    ]


@pytest.fixture(scope="module")
def result(folder: Path, artifacts: list[Artifact]) -> Result:
    journal, left_out = begin(artifacts, SWEEP, folder / "results")
    assert left_out == {}
    return carry_out(journal, folder / "profiles", Onlooker())


def test_bench_times_every_artifact_runtime_shape_and_batch_size(result: Result) -> None:
    names = ("artifact", "runtime", "instances", "threads", "batch")
    found = {tuple(it.settings[name] for name in names) for it in result.points}
    ways = [("convolution-onnx-fp32", "onnxruntime"), ("convolution-onnx-fp32", "openvino")]
    ways += [("other-onnx-fp32", "onnxruntime")]
    expected = {(*way, n, 1, batch) for way in ways for n in (1, 2) for batch in (1, 2, 4)}
    assert found == expected
    assert result.left_out == {}


def test_bench_records_are_written_and_read_back(result: Result) -> None:
    read = read_measurements(result.path)
    assert [it.name for it in read] == ["bench"] * 18 + ["fit"] * 6
    assert all(it.latencies.raw for it in read)
    for record in read[:18]:
        settings = record.settings
        low, usual, high = (
            float(str(settings[it])) for it in ("ci_low", "images_per_second", "ci_high")
        )
        assert 0.0 < low <= usual <= high
        assert settings["valid"] is record.valid is not bool(settings["reasons"])
        assert (settings["blocks"], settings["rounds"]) == (4, 2)
        assert 0.0 < float(str(settings["cold_start"])) < 60.0
        assert record.latencies.count >= 11  # p50 needs as many


def test_bench_page_lists_every_setting_and_no_other(result: Result) -> None:
    page = PAGE.read_text(encoding="utf-8")
    table = page.partition("### `bench`")[2].partition("###")[0]
    listed = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([a-z_0-9]+)`", line.split("|")[1])
    }
    written = {name for record in result.points for name in record.settings}
    not_everywhere = {"vram", "energy_per_image", "energy_source", "accuracy", "accuracy_source"}
    not_everywhere |= {"others", "stolen", "rss", "peak_rss"}  # where the kernel tells
    assert written <= listed
    assert listed - written <= not_everywhere
    fits = page.partition("### `fit`")[2].partition("###")[0]
    assert all(f"`{name}`" in fits for name in result.fits[0].settings)


def test_bench_pairs_compare_what_has_the_same_batch_size(result: Result) -> None:
    pairs = read_pairs(result.path.with_suffix(".pairs.json"))
    assert pairs == result.pairs
    assert len(pairs.pairs) == 3 * (6 * 5 // 2)
    assert all(it.ratio >= 1.0 and it.faster != it.slower for it in pairs.pairs)
    assert not any(it.significant for it in pairs.pairs)  # four blocks cannot show anything


def test_bench_keeps_a_profile_for_each_network(
    folder: Path, artifacts: list[Artifact], result: Result
) -> None:
    comparisons = read_profile(folder / "profiles", fingerprint()).comparisons
    assert [it.name for it in comparisons] == ["convolution", "other"]
    for comparison, artifact in zip(comparisons, artifacts, strict=True):
        (overall,) = (it for it in comparison.winners if (it.artifact, it.batch) == (None, None))
        assert overall.way.artifact == artifact.manifest.id
    shapes = {(it.instances, it.threads) for it in comparisons[0].timings}
    assert shapes == {(1, 1), (2, 1)}


def test_service_reads_the_profile_that_a_run_leaves(
    folder: Path, artifacts: list[Artifact], result: Result
) -> None:
    specs = [Chosen(it, ModelSpec(it.manifest.id), ()) for it in artifacts]
    for entry in prefer(specs, folder / "profiles"):
        shape = (entry.spec.instances, entry.spec.threads)
        assert shape in {(1, 1), (2, 1)}
        assert entry.spec.runtime != "auto"
        assert set(entry.measured) == {(1, 1), (2, 1)}
        assert all(set(seconds) == {1, 2, 4} for seconds in entry.measured.values())


def test_bench_that_was_interrupted_goes_on_where_it_stopped(
    folder: Path, artifacts: list[Artifact]
) -> None:
    sweep = Sweep(batches=(1, 2), threads=(1,), effort=BRIEF)
    journal, _ = begin(artifacts[1:], sweep, folder / "resumed")
    with pytest.raises(KeyboardInterrupt):
        carry_out(journal, folder / "none", Onlooker(interrupt_after=5))  # in the third block
    finished = journal.read_bytes()
    assert len(read_journal(journal).blocks) == 2
    journal.write_bytes(finished + b'{"block": {"number": 2,')  # cut off while writing

    found = find_journal(journal.stem, folder / "resumed")
    result = carry_out(found, folder / "none", Onlooker())

    assert journal.read_bytes().startswith(finished)
    assert [it.number for it in read_journal(journal).blocks] == [0, 1, 2, 3]
    assert {it.settings["blocks"] for it in result.points} == {4}


def test_bench_leaves_out_an_engine_that_answers_wrongly(
    folder: Path, artifacts: list[Artifact]
) -> None:
    wrong = write_convolution(folder / "wrong", "fp32", runtimes=("onnxruntime",))
    other = read_artifact(write_tiny(folder / "seeded", "seeded", seed=1))
    (wrong.directory / "model.onnx").write_bytes((other.directory / "model.onnx").read_bytes())
    manifest = read_manifest(wrong.directory)
    entry = other.manifest.files["model.onnx"]
    write_manifest(
        wrong.directory, replace(manifest, files={**manifest.files, "model.onnx": entry})
    )
    sweep = Sweep(batches=(1,), threads=(1,), effort=replace(BRIEF, rounds=1, blocks=2))
    both = [read_artifact(wrong.directory), artifacts[1]]

    journal, _ = begin(both, sweep, folder / "partly")
    result = carry_out(journal, folder / "none", Onlooker())

    assert {it.settings["artifact"] for it in result.points} == {"other-onnx-fp32"}
    (reason,) = result.left_out.values()
    assert "dlogit" in reason
    journal, _ = begin(both[:1], sweep, folder / "partly")
    with pytest.raises(MissingError, match="nothing could be opened: convolution-onnx-fp32"):
        carry_out(journal, folder / "none", Onlooker())


@pytest.mark.skipif(sys.platform != "linux", reason="looks for its children in /proc")
def test_bench_goes_on_without_an_engine_whose_process_ends(
    folder: Path, artifacts: list[Artifact]
) -> None:
    sweep = Sweep(batches=(1,), threads=(1,), effort=replace(BRIEF, rounds=1, blocks=4))
    journal, _ = begin(artifacts[1:] + artifacts[:1], sweep, folder / "ended")
    result = carry_out(journal, folder / "none", Killer(after=5))
    assert len(result.points) == 2
    assert {it.settings["blocks"] for it in result.points} == {4}
    (reason,) = result.left_out.values()
    assert reason.startswith("its process ended with signal 9")
    assert reason.endswith("was there too little memory?")
    assert engine_processes() == []


def test_resume_of_what_cannot_go_on_is_an_error(folder: Path) -> None:
    with pytest.raises(InputError, match=r"no run .none. in .* there are: "):
        find_journal("none", folder / "results")
    artifact = read_artifact(write_tiny(folder / "changing", "changing"))
    journal, _ = begin([artifact], Sweep(batches=(1,), effort=BRIEF), folder / "changed")
    manifest = read_manifest(artifact.directory)
    write_manifest(artifact.directory, replace(manifest, created="2026-02-02T00:00:00+00:00"))
    with pytest.raises(InputError, match="was exported again since run"):
        find_journal(journal.stem, folder / "changed")


def test_quick_leaves_blocks_out_that_its_budget_has_no_time_for(
    folder: Path, artifacts: list[Artifact]
) -> None:
    effort = Effort(blocks=9, seconds=0.0, rounds=1, percentile="p50", budget=1e-9, fewest=3)
    sweep = Sweep(batches=(1,), threads=(available_cores(),), effort=effort)
    journal, _ = begin(artifacts[1:], sweep, folder / "brief")
    result = carry_out(journal, folder / "none", Onlooker())
    assert {it.settings["blocks"] for it in result.points} == {3}
