"""A flag beats the profile, which beats the order of the runtimes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from commands.measure_runtimes import measure
from inference.artifact import Artifact
from inference.profiles import Comparison, Profile, add_comparison, read_profile
from inference.runtimes import RUNTIMES
from measuring.bootstrap import Interval
from measuring.cores import available_cores
from measuring.errors import InputError
from measuring.machine import fingerprint
from measuring.timing import Schedule
from service.loading import Chosen, load
from service.preference import prefer
from service.settings import ModelSpec
from tests.tiny_convolution import write_convolution

BRIEF = Schedule(runs=2, seconds=0.0, warmup=1, blocks=2)


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return write_convolution(tmp_path / "artifacts", "fp32")


@pytest.fixture
def profiles(tmp_path: Path, artifact: Artifact) -> Path:
    """Measured here, with OpenVINO the fastest."""
    folder = tmp_path / "profiles"
    (comparison,) = measure([artifact], folder, schedule=BRIEF)
    add_comparison(folder, fingerprint(), won_by(comparison, "openvino"))
    return folder


def won_by(comparison: Comparison, runtime: str) -> Comparison:
    winners = tuple(
        replace(winner, way=replace(winner.way, runtime=runtime)) for winner in comparison.winners
    )
    return replace(comparison, winners=winners)


def chosen(artifact: Artifact, runtime: str = "auto") -> Chosen:
    return Chosen(artifact, ModelSpec(artifact.manifest.id, runtime=runtime, threads=1), ())


def test_prefer_takes_the_runtime_that_was_fastest(artifact: Artifact, profiles: Path) -> None:
    (entry,) = prefer([chosen(artifact)], profiles)
    assert entry.spec.runtime == "openvino"
    assert set(entry.measured[1, available_cores()]) == {1, 8}
    loaded = load(entry, queue_capacity=3)
    assert loaded.info.engine == "openvino cpu fp32"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param({1: 0.001, 8: 0.008}, 1, id="batching-does-not-pay"),
        pytest.param({1: 0.001, 8: 0.002}, 8, id="batching-pays"),
    ],
)
def test_load_takes_the_batch_size_that_the_profile_prefers(
    artifact: Artifact, seconds: dict[int, float], expected: int
) -> None:
    entry = replace(chosen(artifact), measured={(available_cores(), 1): seconds})

    info = load(entry, queue_capacity=3).info

    assert (info.threads, info.max_batch) == (1, expected)


def test_load_does_not_heed_a_profile_of_other_shapes(artifact: Artifact) -> None:
    entry = replace(chosen(artifact), measured={(1, 999): {1: 1.0, 8: 1.0}})

    assert load(entry, queue_capacity=3).info.seconds_by_batch[8] < 1.0


def test_load_with_a_flag_does_not_heed_the_profile(artifact: Artifact) -> None:
    entry = replace(chosen(artifact), measured={(available_cores(), 1): {1: 1.0, 8: 1.0}})
    entry = replace(entry, spec=replace(entry.spec, max_batch=2))

    assert load(entry, queue_capacity=3).info.max_batch == 2


def shaped(comparison: Comparison, seconds: dict[tuple[int, int], float]) -> Comparison:
    """As if each shape (instances, threads) had taken so long for a call of one picture."""
    (first, *_) = comparison.timings
    ways = {timing.way for timing in comparison.timings}
    timings = tuple(
        replace(
            first, way=way, instances=instances, threads=threads, batch=batch,
            seconds=Interval(took * batch, took * batch, took * batch, 0.95),
        )
        for way in ways
        for (instances, threads), took in seconds.items()
        for batch in (1, 2)
    )  # fmt: skip
    return replace(comparison, timings=timings)


@pytest.fixture
def shaped_profiles(tmp_path: Path, artifact: Artifact, profiles: Path) -> Path:
    """Three instances of one thread answer the most, as no rule would guess."""
    folder = tmp_path / "shaped"
    (comparison,) = read_profile(profiles, fingerprint()).comparisons
    taken = {(1, 2): 1.0, (3, 1): 1.2, (2, 1): 1.1}
    add_comparison(folder, fingerprint(), shaped(comparison, taken))
    return folder


def test_service_takes_shape_runtime_and_batch_size_of_the_profile(
    artifact: Artifact, shaped_profiles: Path
) -> None:
    (entry,) = prefer([Chosen(artifact, ModelSpec(artifact.manifest.id), ())], shaped_profiles)
    info = load(entry, queue_capacity=3).info
    assert (info.runtime, info.instances, info.threads, info.max_batch) == ("openvino", 3, 1, 1)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param({"instances": 1, "threads": 1}, ("openvino", 1, 1), id="shape"),
        pytest.param({"runtime": "onnxruntime"}, ("onnxruntime", 3, 1), id="runtime"),
    ],
)
def test_flag_beats_the_shape_of_the_profile(
    artifact: Artifact,
    shaped_profiles: Path,
    told: dict[str, Any],
    expected: tuple[str, int, int],
) -> None:
    spec = ModelSpec(artifact.manifest.id, **told)
    (entry,) = prefer([Chosen(artifact, spec, ())], shaped_profiles)
    info = load(entry, queue_capacity=3).info
    assert (info.runtime, info.instances, info.threads) == expected


def test_prefer_of_a_profile_with_one_shape_leaves_the_shape_to_the_warm_up(
    artifact: Artifact, profiles: Path
) -> None:
    (entry,) = prefer([Chosen(artifact, ModelSpec(artifact.manifest.id), ())], profiles)
    assert (entry.spec.instances, entry.spec.threads) == (None, None)


def test_prefer_leaves_a_runtime_that_was_named(artifact: Artifact, profiles: Path) -> None:
    (entry,) = prefer([chosen(artifact, "onnxruntime")], profiles)
    assert entry.spec.runtime == "onnxruntime"


def test_prefer_without_measurements_leaves_auto(
    artifact: Artifact, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "stride.load")
    (entry,) = prefer([chosen(artifact)], tmp_path / "nowhere")
    assert entry.spec.runtime == "auto"
    assert "runtime=auto reason=nothing was measured for it on this machine" in caplog.text


def test_prefer_of_a_runtime_that_is_not_installed_leaves_auto(
    artifact: Artifact,
    profiles: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "stride.load")
    gone = replace(RUNTIMES["openvino"], module="inference.no_such_engine")
    monkeypatch.setitem(RUNTIMES, "openvino", gone)
    (entry,) = prefer([chosen(artifact)], profiles)
    assert entry.spec.runtime == "auto"
    assert "openvino was fastest as measured" in caplog.text
    assert 'install it with: pip install "stride[openvino]"' in caplog.text


def test_prefer_of_a_runtime_that_the_artifact_lost_leaves_auto(
    artifact: Artifact, profiles: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "stride.load")
    (variant,) = artifact.manifest.variants
    narrowed = replace(artifact.manifest, variants=(replace(variant, runtimes=("onnxruntime",)),))
    (entry,) = prefer([chosen(replace(artifact, manifest=narrowed))], profiles)
    assert entry.spec.runtime == "auto"
    assert "but the artifact is not made for it any more" in caplog.text


def test_prefer_with_a_damaged_profile_is_an_error(artifact: Artifact, profiles: Path) -> None:
    machine = fingerprint()
    assert isinstance(read_profile(profiles, machine), Profile)
    (profiles / f"{machine.key}.json").write_text("[]")
    with pytest.raises(InputError, match=r"the profile is damaged: .* measure again"):
        prefer([chosen(artifact)], profiles)
