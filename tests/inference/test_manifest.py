"""A manifest is read with suspicion: whatever stands in it, only ArtifactError comes out."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference.artifact import Artifact, find_artifacts, read_artifact
from inference.errors import ArtifactError, ParityError
from inference.manifest import read_manifest
from inference.open_engine import open_engine
from inference.verify_artifact import verify_artifact

Edit = Callable[..., None]
Place = tuple[str | int, ...]

NONSENSE: dict[str, Any] = {
    "null": None,
    "negative": -1,
    "text": "x",
    "list": [],
    "object": {},
    "huge": 10**400,
    "far": 1e308,
    "nan": float("nan"),
    "infinite": float("inf"),
    "true": True,
}


def places(part: object, place: Place = ()) -> Iterator[Place]:
    """Of everything in a document, the document itself included."""
    yield place
    inside = part.items() if isinstance(part, dict) else ()
    for key, value in enumerate(part) if isinstance(part, list) else inside:
        yield from places(value, (*place, key))


def replaced(part: Any, place: Place, value: object) -> Any:
    if not place:
        return value
    copy = part.copy()
    copy[place[0]] = replaced(part[place[0]], place[1:], value)
    return copy


def change_json(directory: Path, place: Place, value: object) -> None:
    path = directory / "manifest.json"
    path.write_text(json.dumps(replaced(json.loads(path.read_text()), place, value)))


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
def test_read_artifact_of_nonsense_anywhere_raises_nothing_but_its_error(
    artifact_directory: Path, nonsense: object
) -> None:
    path = artifact_directory / "manifest.json"
    good = json.loads(path.read_text())
    refused: dict[Place, str] = {}
    for place in places(good):
        path.write_text(json.dumps(replaced(good, place, nonsense)))
        try:
            read_artifact(artifact_directory)
        except ArtifactError as error:
            refused[place] = str(error)
    assert all(str(artifact_directory) in message for message in refused.values())
    assert {(), ("id",), ("variants", 0, "file"), ("files", "model.onnx", "size")} <= set(refused)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        pytest.param("size", 0, "size is 0, expected 1 to 4096", id="size"),
        pytest.param("mean", [0.5, float("nan"), 0.5], "mean is .*expected three finite", id="nan"),
        pytest.param("std", [0.5, 0.5, float("nan")], "std is .*expected three finite", id="std"),
        pytest.param("crop", "round", "input.crop: Input should be 'center'", id="crop"),
    ],
)
def test_read_manifest_with_an_input_spec_of_no_picture(
    artifact_directory: Path, field: str, value: object, told: str
) -> None:
    change_json(artifact_directory, ("input", field), value)
    with pytest.raises(ArtifactError, match=rf"manifest\.json is damaged: .*{told}.*stride export"):
        read_manifest(artifact_directory)


def test_find_artifacts_leaves_out_a_manifest_with_size_0(artifact_directory: Path) -> None:
    broken = artifact_directory.parent / "broken-onnx-fp32"
    shutil.copytree(artifact_directory, broken)
    change_json(broken, ("input", "size"), 0)
    left_out, good = find_artifacts(artifact_directory.parent)
    assert isinstance(left_out.artifact, ArtifactError)
    assert f"{broken / 'manifest.json'} is damaged: input spec: size is 0" in str(left_out.artifact)
    assert isinstance(good.artifact, Artifact)


def test_read_manifest_of_a_variant_without_devices_is_for_all(artifact_directory: Path) -> None:
    """Manifests were written before variants knew of devices."""
    path = artifact_directory / "manifest.json"
    document = json.loads(path.read_text())
    del document["variants"][0]["devices"]
    path.write_text(json.dumps(document))
    (variant,) = read_manifest(artifact_directory).variants
    assert variant.devices == ("cpu", "cuda")


@pytest.mark.parametrize("bound", [0.0, -1e-3, float("inf"), float("nan")])
def test_read_artifact_refuses_a_bound_that_is_none(artifact_directory: Path, bound: float) -> None:
    change_json(artifact_directory, ("variants", 0, "parity", "bound"), bound)
    with pytest.raises(
        ArtifactError, match=r"bound of model\.onnx is .*, expected finite and above"
    ):
        read_artifact(artifact_directory)


def test_a_bound_that_everything_keeps_opens_and_verifies_nothing(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    (variant,) = read_artifact(artifact_directory).manifest.variants
    generous = replace(variant, parity=replace(variant.parity, bound=1e300))
    change_manifest(artifact_directory, variants=(generous,))
    for use in (lambda: verify_artifact(artifact_directory), lambda: open_it(artifact_directory)):
        with pytest.raises(ParityError, match=r"parity bound is 1e\+300 and .* spread \d+"):
            use()


def open_it(directory: Path) -> None:
    open_engine(read_artifact(directory), threads=1).close()
