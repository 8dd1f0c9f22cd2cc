"""From measuring to serving: what is kept, what is left out, and what happens to damaged files."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from inference.artifact import Artifact, read_artifact
from inference.profiles import (
    Comparison,
    Timing,
    Way,
    Winner,
    add_comparison,
    measured_seconds,
    preferred_runtime,
    preferred_shape,
    read_profile,
)
from measuring.bootstrap import Interval, Ratio
from measuring.errors import InputError
from measuring.machine import Machine, fingerprint

Edit = Callable[..., None]

VERSIONS = {"onnxruntime": "1.31.1", "openvino": "2026.4.1", "pillow": "13.0.0"}


@pytest.fixture
def artifact(artifact_directory: Path) -> Artifact:
    return read_artifact(artifact_directory)


@pytest.fixture(scope="module")
def machine() -> Machine:
    return fingerprint()


def compare(artifact: Artifact, *, winner: str = "openvino", name: str | None = None) -> Comparison:
    """As if `winner` had been the fastest for the artifact on the processor."""
    manifest = artifact.manifest
    ways = {runtime: Way(manifest.id, runtime, "cpu") for runtime in ("onnxruntime", "openvino")}
    timings = tuple(
        Timing(
            way=way,
            engine=f"{runtime} cpu fp32",
            file="model.onnx",
            sha256=manifest.files["model.onnx"].sha256,
            threads=2,
            batch=8,
            seconds=Interval(0.02, 0.01, 0.04, 0.95),
            ratio=Ratio(1.0, 1.0, 1.0, 0.95),
        )
        for runtime, way in ways.items()
    )
    winners = (
        Winner(None, None, None, ways["onnxruntime"]),
        Winner(manifest.id, "cpu", 8, ways["onnxruntime"]),
        Winner(manifest.id, "cpu", None, ways[winner]),
    )
    return Comparison(
        name or manifest.name, manifest.weights.sha256, "2026-01-01T00:00:00+00:00",
        VERSIONS, timings, winners,
    )  # fmt: skip


def test_profile_gives_back_what_was_added(
    tmp_path: Path, artifact: Artifact, machine: Machine
) -> None:
    comparison = compare(artifact)
    path = add_comparison(tmp_path / "profiles", machine, comparison)
    assert path.name == f"{machine.key}.json"
    assert read_profile(tmp_path / "profiles", machine).comparisons == (comparison,)
    assert not list(path.parent.glob("*.partial"))


def test_profile_of_a_machine_that_measured_nothing_is_empty(
    tmp_path: Path, artifact: Artifact, machine: Machine
) -> None:
    profile = read_profile(tmp_path, machine)
    preference = preferred_runtime(profile, artifact, VERSIONS)
    assert preference.runtime is None
    assert preference.reason == "nothing was measured for it on this machine"


def test_profile_keeps_what_others_measured(
    tmp_path: Path, artifact: Artifact, machine: Machine
) -> None:
    """A newer comparison replaces the older one of the same artifacts, and no other."""
    other = compare(artifact, name="other")
    first, second = (compare(artifact, winner=name) for name in ("onnxruntime", "openvino"))
    for comparison in (first, other, second):
        add_comparison(tmp_path, machine, comparison)
    assert read_profile(tmp_path, machine).comparisons == (other, second)


def test_profile_keeps_a_comparison_of_more_artifacts(
    tmp_path: Path, artifact: Artifact, machine: Machine
) -> None:
    narrow = compare(artifact)
    (first, *rest) = narrow.timings
    more = replace(first, way=replace(first.way, artifact="mean-colour-onnx-int8"))
    wide = replace(narrow, timings=(first, *rest, more))
    for comparison in (wide, narrow):
        add_comparison(tmp_path, machine, comparison)
    assert read_profile(tmp_path, machine).comparisons == (wide, narrow)
    add_comparison(tmp_path, machine, wide)
    assert read_profile(tmp_path, machine).comparisons == (wide,)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param("{", "damaged: the document: .*remove it and measure again", id="broken"),
        pytest.param('{"comparisons": []}', "damaged: machine: Field required", id="lacking"),
        pytest.param(
            '{"machine": "abacus"}', "of machine abacus in schema 1, expected", id="other"
        ),
    ],
)
def test_profile_that_is_damaged_is_an_error(
    tmp_path: Path, artifact: Artifact, machine: Machine, content: str, told: str
) -> None:
    """Neither read nor written over: what others measured may be in it."""
    path = tmp_path / f"{machine.key}.json"
    path.write_text(content)
    for use in (
        lambda: read_profile(tmp_path, machine),
        lambda: add_comparison(tmp_path, machine, compare(artifact)),
    ):
        with pytest.raises(InputError, match=told):
            use()
    assert path.read_text() == content


def test_profile_in_a_folder_that_is_a_file_is_an_error(
    tmp_path: Path, artifact: Artifact, machine: Machine
) -> None:
    (tmp_path / "profiles").write_text("")
    with pytest.raises(InputError, match=r"cannot be written .*choose another folder"):
        add_comparison(tmp_path / "profiles", machine, compare(artifact))
    with pytest.raises(InputError, match=r"cannot be read .*choose another folder"):
        read_profile(tmp_path / "profiles", machine)


def test_preferred_runtime_is_the_winner_over_all_batch_sizes(
    tmp_path: Path, artifact: Artifact, machine: Machine
) -> None:
    add_comparison(tmp_path, machine, compare(artifact))
    profile = read_profile(tmp_path, machine)
    preference = preferred_runtime(profile, artifact, VERSIONS)
    assert preference.runtime == "openvino"
    assert preference.reason == "fastest as measured 2026-01-01T00:00:00+00:00"
    assert preferred_runtime(profile, artifact, VERSIONS, device="cuda").runtime is None


@pytest.mark.parametrize(
    ("versions", "told"),
    [
        pytest.param(VERSIONS | {"openvino": "2027.0.0"}, "openvino 2026.4.1, now", id="newer"),
        pytest.param({"pillow": "14.0.0"}, None, id="not-decisive"),
        pytest.param({"onnxruntime": "1.31.1", "torch": "2.13.0"}, None, id="known-to-one"),
    ],
)
def test_preferred_runtime_measured_with_other_versions_is_stale(
    tmp_path: Path,
    artifact: Artifact,
    machine: Machine,
    versions: dict[str, str],
    told: str | None,
) -> None:
    add_comparison(tmp_path, machine, compare(artifact))
    preference = preferred_runtime(read_profile(tmp_path, machine), artifact, versions)
    assert (preference.runtime is None) == (told is not None)
    assert told is None or told in preference.reason


def test_preferred_runtime_measured_with_other_files_is_stale(
    tmp_path: Path, artifact: Artifact, machine: Machine, change_manifest: Edit
) -> None:
    add_comparison(tmp_path, machine, compare(artifact))
    model = artifact.directory / "model.onnx"
    model.write_bytes(model.read_bytes() + b" ")
    change_manifest(artifact.directory)
    changed = read_artifact(artifact.directory)
    preference = preferred_runtime(read_profile(tmp_path, machine), changed, VERSIONS)
    assert preference.runtime is None
    assert preference.reason.endswith("with another model.onnx")


def test_preferred_runtime_measured_with_other_weights_is_stale(
    tmp_path: Path, artifact: Artifact, machine: Machine
) -> None:
    add_comparison(tmp_path, machine, replace(compare(artifact), weights="0" * 64))
    preference = preferred_runtime(read_profile(tmp_path, machine), artifact, VERSIONS)
    assert preference.reason.endswith("with other weights")


def test_profile_is_a_document_that_people_can_read(
    tmp_path: Path, artifact: Artifact, machine: Machine
) -> None:
    path = add_comparison(tmp_path, machine, compare(artifact))
    document = json.loads(path.read_text())
    winner = document["comparisons"][0]["winners"][-1]
    assert winner["way"]["runtime"] == "openvino"
    assert document["machine"] == machine.key


def test_timing_in_images_per_second_keeps_its_bounds_in_order(artifact: Artifact) -> None:
    images = compare(artifact).timings[0].images_per_second
    assert (images.low, images.estimate, images.high) == (200, 400, 800)


def only(comparison: Comparison, runtime: str) -> Comparison:
    """As if nothing but this runtime had been timed."""
    timings = tuple(it for it in comparison.timings if it.way.runtime == runtime)
    winners = tuple(replace(it, way=replace(it.way, runtime=runtime)) for it in comparison.winners)
    return replace(comparison, timings=timings, winners=winners)


def test_preferred_runtime_is_that_of_the_comparison_with_most_runtimes(
    tmp_path: Path, artifact: Artifact, machine: Machine
) -> None:
    """A later run of one runtime alone says nothing of the others."""
    both = compare(artifact)
    for comparison in (both, only(both, "onnxruntime")):
        add_comparison(tmp_path, machine, comparison)
    profile = read_profile(tmp_path, machine)
    assert len(profile.comparisons) == 2
    assert preferred_runtime(profile, artifact, VERSIONS).runtime == "openvino"


def shaped(comparison: Comparison, seconds: dict[tuple[int, int], float]) -> Comparison:
    """Each shape (instances, threads) with its seconds of a call of eight."""
    timings = tuple(
        replace(it, instances=shape[0], threads=shape[1], seconds=Interval(took, took, took, 0.95))
        for it in comparison.timings
        for shape, took in seconds.items()
    )
    return replace(comparison, timings=timings)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param({(1, 2): 1.0, (2, 1): 1.5}, (2, 1), id="many-answer-more"),
        pytest.param({(1, 2): 1.0, (2, 1): 1.95}, (1, 2), id="hardly-more"),
        pytest.param({(1, 2): 1.0, (2, 1): 2.5}, (1, 2), id="one-answers-more"),
        pytest.param({(1, 2): 1.0}, None, id="nothing-compared"),
    ],
)
def test_preferred_shape_answers_the_most(
    tmp_path: Path,
    artifact: Artifact,
    machine: Machine,
    seconds: dict[tuple[int, int], float],
    expected: tuple[int, int] | None,
) -> None:
    add_comparison(tmp_path, machine, shaped(compare(artifact), seconds))
    profile = read_profile(tmp_path, machine)
    way = {"runtime": "openvino", "device": "cpu"}
    assert preferred_shape(profile, artifact, VERSIONS, **way) == expected
    measured = measured_seconds(profile, artifact, VERSIONS, **way)
    assert measured == {shape: {8: took} for shape, took in seconds.items()}
    stale = VERSIONS | {"openvino": "2027.0.0"}
    assert preferred_shape(profile, artifact, stale, **way) is None


def test_profile_forgets_no_shape_for_a_run_that_did_not_try_it(
    tmp_path: Path, artifact: Artifact, machine: Machine
) -> None:
    both = shaped(compare(artifact), {(1, 2): 1.0, (2, 1): 1.5})
    for comparison in (both, shaped(compare(artifact), {(1, 2): 0.9})):
        add_comparison(tmp_path, machine, comparison)
    profile = read_profile(tmp_path, machine)
    way = {"runtime": "openvino", "device": "cpu"}
    assert preferred_shape(profile, artifact, VERSIONS, **way) == (2, 1)
    measured = measured_seconds(profile, artifact, VERSIONS, **way)
    assert measured == {(1, 2): {8: 0.9}, (2, 1): {8: 1.5}}
