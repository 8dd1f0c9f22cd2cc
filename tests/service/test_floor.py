"""The null runtime, served beside the real one: told apart everywhere, and kept over a reload."""

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from inference.artifact import Artifact
from measuring.errors import InputError
from service.loading import choose
from service.repository import Repository
from service.settings import ModelSpec, Settings
from tests.service.process import ServiceProcess
from tests.tiny import SIZE, write_tiny

REAL, FLOOR = "one-onnx-fp32", "one-onnx-fp32-null"
BESIDE = (ModelSpec("one"), ModelSpec(REAL, alias="floor", runtime="null"))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    repository = tmp_path_factory.mktemp("repository")
    write_tiny(repository, "one", trained=True)
    process = ServiceProcess(
        repository, "--model", "one", "--model", f"floor={REAL}:runtime=null"
    ).wait_until_ready()
    yield process
    assert process.stop() == 0, process.text


def test_floor_is_a_model_of_its_own(service: ServiceProcess) -> None:
    real, floor = service.client.get("/v1/models").json["models"]
    assert (real["id"], real["runtime"]) == (REAL, "onnxruntime")
    assert "one" in real["aliases"]
    assert (floor["id"], floor["runtime"]) == (FLOOR, "null")
    assert "floor" in floor["aliases"]
    assert floor["manifest"]["network"] == real["manifest"]["network"]
    assert (real["manifest"]["weights"]["trained"], floor["manifest"]["weights"]["trained"]) == (
        True,
        False,
    )


def test_answers_and_metrics_of_the_floor_bear_its_own_id(service: ServiceProcess) -> None:
    pixels = np.full((1, SIZE, SIZE, 3), 200, np.uint8)
    tensor = {"name": "pixels", "datatype": "UINT8", "shape": list(pixels.shape)}
    body = json.dumps({"inputs": [tensor | {"data": pixels.tolist()}]}).encode()
    answer = service.client.post("/v2/models/floor/infer", body).json
    assert answer["model_name"] == FLOOR
    assert set(answer["outputs"][0]["data"]) == {0.0}
    metrics = service.client.get("/metrics").data.decode()
    assert f'model="{FLOOR}",precision="fp32",runtime="null"' in metrics


def test_floor_stays_over_a_reload(service: ServiceProcess) -> None:
    before = service.text.count("reloaded models=")
    service.process.send_signal(signal.SIGHUP)
    while service.text.count("reloaded models=") == before:
        assert service.process.poll() is None, service.text
        assert service.client.get("/readyz").status == 200  # which also takes a while
    assert f"reloaded models={REAL},{FLOOR}" in service.text


def test_repository_finds_the_floor_by_id_and_alias(artifacts: Path) -> None:
    repository = Repository(Settings(repository=artifacts, profiles=artifacts, models=BESIDE))
    for name, identity in (("floor", FLOOR), (FLOOR, FLOOR), ("one", REAL), (REAL, REAL)):
        chosen = repository.named(name)
        assert chosen.artifact.manifest.id == identity
        assert (chosen.spec.runtime == "null") is (identity == FLOOR)


def test_repository_wants_what_was_asked_for_and_no_more(artifacts: Path) -> None:
    def wanted(*specs: ModelSpec, served: frozenset[str] = frozenset()) -> list[str]:
        settings = Settings(repository=artifacts, profiles=artifacts, models=specs)
        repository = Repository(settings)
        found = [entry.artifact for entry in repository.found()]
        sound = [artifact for artifact in found if isinstance(artifact, Artifact)]
        return [chosen.artifact.manifest.id for chosen in repository.wanted(sound, served)]

    assert wanted() == [REAL]
    assert wanted(*BESIDE) == [REAL, FLOOR]
    assert wanted(BESIDE[1]) == [FLOOR]
    assert wanted(BESIDE[0], served=frozenset({FLOOR})) == [REAL, FLOOR]
    shutil.rmtree(artifacts / REAL)
    assert wanted(*BESIDE) == []


def test_choose_one_floor_of_an_artifact(artifacts: Path) -> None:
    chosen = choose(artifacts, BESIDE)
    assert [entry.artifact.manifest.id for entry in chosen] == [REAL, FLOOR]
    assert [set(entry.aliases) for entry in chosen] == [{"one"}, {"floor", "one-null"}]
    with pytest.raises(InputError, match=f"names {FLOOR} twice"):
        choose(artifacts, [BESIDE[1], ModelSpec("one", runtime="null")])
