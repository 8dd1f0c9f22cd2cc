"""`stride serve` as users start it: a flag beats the machine's profile, which beats the warm-up."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference.artifact import Artifact
from inference.profiles import Comparison, Timing, Way, Winner, add_comparison
from measuring.bootstrap import Interval, Ratio
from measuring.cores import available_cores
from measuring.machine import fingerprint
from tests.service.process import ServiceProcess
from tests.tiny_convolution import write_convolution

SHAPES = {(1, 1): 1.0, (3, 1): 1.5, (3, 2): 2.9}
"""Seconds of a picture by instances and threads: three of one thread answer the most."""


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return write_convolution(tmp_path_factory.mktemp("served") / "artifacts", "fp32")


@pytest.fixture(scope="module")
def profiles(artifact: Artifact) -> Path:
    """As if OpenVINO were the fastest, and a call of four as fast as one of one."""
    manifest, machine = artifact.manifest, fingerprint()
    way = Way(manifest.id, "openvino", "cpu")
    file = manifest.variants[0].file
    first = Timing(
        way=way, engine="openvino cpu fp32", file=file, sha256=manifest.files[file].sha256,
        threads=1, batch=1, seconds=Interval(1.0, 1.0, 1.0, 0.95), ratio=Ratio(1.0, 1.0, 1.0, 0.95),
    )  # fmt: skip
    timings = tuple(
        replace(
            first, instances=instances, threads=threads, batch=batch,
            seconds=Interval(seconds, seconds, seconds, 0.95),
        )
        for (instances, threads), seconds in SHAPES.items()
        for batch in (1, 4)
    )  # fmt: skip
    comparison = Comparison(
        manifest.name, manifest.weights.sha256, "2026-01-01T00:00:00+00:00",
        machine.libraries, timings, (Winner(manifest.id, "cpu", None, way),),
    )  # fmt: skip
    folder = artifact.directory.parent.parent / "profiles"
    add_comparison(folder, machine, comparison)
    return folder


def served(artifact: Artifact, profiles: Path, model: str) -> dict[str, Any]:
    """What /v1/models says of the only model."""
    identity = artifact.manifest.id
    service = ServiceProcess(
        artifact.directory.parent, "--profiles", str(profiles), "--model", f"{identity}{model}"
    )
    try:
        service.wait_until_ready()
        answer: dict[str, Any] = service.client.get(f"/v1/models/{identity}").json
        return answer
    finally:
        service.terminate()
        service.wait()


def test_service_takes_what_the_profile_says(artifact: Artifact, profiles: Path) -> None:
    model = served(artifact, profiles, "")
    assert (model["runtime"], model["instances"], model["threads"]) == ("openvino", 3, 1)
    assert model["max_batch"] == 4


def test_service_heeds_flags_before_the_profile(artifact: Artifact, profiles: Path) -> None:
    told = ":runtime=onnxruntime,instances=1,threads=1,max_batch=2"
    model = served(artifact, profiles, told)
    assert (model["runtime"], model["instances"], model["threads"]) == ("onnxruntime", 1, 1)
    assert model["max_batch"] == 2


def test_service_without_a_profile_measures_itself(artifact: Artifact, tmp_path: Path) -> None:
    model = served(artifact, tmp_path, "")
    cores = available_cores()
    assert model["runtime"] == "onnxruntime"
    assert (model["instances"], model["threads"]) in {(1, cores), (cores, 1)}
