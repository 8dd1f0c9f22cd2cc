from collections.abc import Callable
from pathlib import Path

import pytest

from inference.artifact import read_artifact
from inference.binding import differences, machine_facts, require_bound_here
from inference.errors import ArtifactError
from measuring.gpu import Gpu

Edit = Callable[..., None]

GPU = Gpu("NVIDIA L4", driver="580.65.06", memory=1 << 34, capability="8.9", mig=False)


def test_machine_facts_name_platform_gpu_and_versions() -> None:
    facts = machine_facts(GPU, tensorrt="11.4.0.106")

    assert facts.pop("platform").count(" ") == 1
    assert facts == {
        "gpu": "NVIDIA L4",
        "compute_capability": "8.9",
        "driver": "580.65.06",
        "tensorrt": "11.4.0.106",
    }


def test_machine_facts_without_gpu_have_none_of_it() -> None:
    assert set(machine_facts(None, torch="2.13.0")) == {"platform", "torch"}


@pytest.mark.parametrize(
    ("required", "received", "met"),
    [
        pytest.param("NVIDIA L4", "NVIDIA L4", True, id="same"),
        pytest.param("NVIDIA L4", "NVIDIA L40", False, id="another"),
        pytest.param("11.4.0.106", "11.4.0.107", False, id="another-build"),
        pytest.param(">=10.16.1,<12", "10.16.1", True, id="lowest"),
        pytest.param(">=10.16.1,<12", "10.16.0.72", False, id="lower"),
        pytest.param(">=10.16.1,<12", "11.4.0.106", True, id="between"),
        pytest.param(">=10.16.1,<12", "12.0", False, id="too-high"),
        pytest.param(">=9.0", "10.0", True, id="numbers-not-letters"),
        pytest.param(">=8.0", "8", True, id="trailing-zero"),
        pytest.param(">=8.0", "unknown", False, id="no-number"),
        pytest.param(">=8.0", None, False, id="nothing"),
    ],
)
def test_requirement_is_met(required: str, received: str | None, met: bool) -> None:
    facts = {} if received is None else {"tensorrt": received}

    assert (differences({"tensorrt": required}, facts) == ()) is met


def test_differences_name_each_key_with_both_values() -> None:
    bound_to = {"gpu": "NVIDIA L4", "compute_capability": "8.9", "driver": "580.65.06"}

    found = differences(bound_to, {**bound_to, "gpu": "NVIDIA H100", "compute_capability": "9.0"})

    assert found == (
        "gpu NVIDIA L4, but here it is NVIDIA H100",
        "compute capability 8.9, but here it is 9.0",
    )


def test_require_bound_here_refuses_with_the_command_that_rebuilds(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    change_manifest(artifact_directory, bound_to={"torch": "2.12.0"})
    artifact = read_artifact(artifact_directory)

    with pytest.raises(ArtifactError, match=r"built for torch 2\.12\.0, but here it is 2\.13\.0; "
                       "rebuild it here with: stride export"):  # fmt: skip
        require_bound_here(artifact, {"torch": "2.13.0"})
    require_bound_here(artifact, {"torch": "2.12.0"})


def test_require_bound_here_refuses_a_manifest_that_does_not_say(artifact_directory: Path) -> None:
    artifact = read_artifact(artifact_directory)

    with pytest.raises(ArtifactError, match="does not say which machine it was built for"):
        require_bound_here(artifact, {"torch": "2.13.0"})
