import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from inference.artifact import (
    Artifact,
    artifact_id,
    find_artifacts,
    named_artifact,
    read_artifact,
    read_from,
    rebuild_command,
)
from inference.errors import ArtifactError
from measuring.errors import InputError

Edit = Callable[..., None]


def flip_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_read_artifact_of_a_good_directory(artifact_directory: Path) -> None:
    artifact = read_artifact(artifact_directory)
    assert artifact.manifest.id == "mean-colour-onnx-fp32"
    assert artifact.path("model.onnx") == artifact_directory / "model.onnx"


def test_read_artifact_without_a_manifest_says_what_an_artifact_is(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"is no artifact: manifest\.json .*stride export"):
        read_artifact(tmp_path)


@pytest.mark.parametrize("file", ["model.onnx", "reference.npz"])
def test_read_artifact_flipped_byte_names_file_checksums_and_command(
    artifact_directory: Path, file: str
) -> None:
    flip_byte(artifact_directory / file)
    told = (
        rf"{file} has SHA-256 [0-9a-f]{{64}}, expected [0-9a-f]{{64}}; "
        "rebuild it with: stride export tiny --format onnx --precision fp32 --name mean-colour"
    )
    with pytest.raises(ArtifactError, match=told):
        read_artifact(artifact_directory)


def test_read_artifact_truncated_file_tells_both_sizes(artifact_directory: Path) -> None:
    path = artifact_directory / "reference.npz"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ArtifactError, match=rf"reference\.npz has 100 bytes, expected {size};"):
        read_artifact(artifact_directory)


def test_read_artifact_missing_file_is_named(artifact_directory: Path) -> None:
    (artifact_directory / "model.onnx").unlink()
    with pytest.raises(ArtifactError, match=r"model\.onnx is missing, expected \d+ bytes"):
        read_artifact(artifact_directory)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../secret", id="parent"),
        pytest.param("/etc/hostname", id="absolute"),
        pytest.param("deeper/file", id="subdirectory"),
        pytest.param("manifest.json", id="the-manifest-itself"),
        pytest.param("..", id="dots"),
        pytest.param("", id="empty"),
    ],
)
def test_read_artifact_refuses_a_file_that_is_not_directly_inside(
    artifact_directory: Path, name: str
) -> None:
    (artifact_directory.parent / "secret").write_text("secret")
    path = artifact_directory / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][name] = {"sha256": "0" * 64, "size": 6}
    path.write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="expected plain files directly inside the directory"):
        read_artifact(artifact_directory)


def test_read_artifact_refuses_a_link_out_of_the_directory(artifact_directory: Path) -> None:
    model = artifact_directory / "model.onnx"
    model.rename(artifact_directory.parent / "elsewhere.onnx")
    model.symlink_to(artifact_directory.parent / "elsewhere.onnx")
    with pytest.raises(ArtifactError, match=r"it lists 'model\.onnx', expected plain files"):
        read_artifact(artifact_directory)


def test_read_artifact_refuses_a_variant_that_is_not_listed(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    (variant,) = read_artifact(artifact_directory).manifest.variants
    change_manifest(artifact_directory, variants=(replace(variant, file="other.onnx"),))
    with pytest.raises(ArtifactError, match=r"'other\.onnx' is not among its files"):
        read_artifact(artifact_directory)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"id": "other"}, "id is 'other', expected 'mean-colour-onnx-fp32'", id="id"),
        pytest.param({"name": "../up"}, "artifact name '../up': expected 1 to 64", id="name"),
        pytest.param({"labels": ()}, "no variant or no label", id="labels"),
        pytest.param({"variants": ()}, "no variant or no label", id="variants"),
    ],
)
def test_read_artifact_refuses_a_manifest_that_contradicts_itself(
    artifact_directory: Path, change_manifest: Edit, fields: dict[str, object], told: str
) -> None:
    change_manifest(artifact_directory, **fields)
    with pytest.raises(ArtifactError, match=told):
        read_artifact(artifact_directory)


def test_find_artifacts_a_broken_one_does_not_hide_the_good(artifact_directory: Path) -> None:
    repository = artifact_directory.parent
    (repository / "broken-onnx-fp32").mkdir()
    (repository / ".mean-colour-onnx-fp32-1234").mkdir()
    (repository / "demo" / "digits").mkdir(parents=True)
    (repository / "notes.txt").write_text("not a directory")
    broken, good = find_artifacts(repository)
    assert broken.id == "broken-onnx-fp32"
    assert isinstance(broken.artifact, ArtifactError)
    assert isinstance(good.artifact, Artifact)
    assert good.artifact.manifest.id == good.id == "mean-colour-onnx-fp32"


def test_find_artifacts_copy_under_another_name_is_an_error(artifact_directory: Path) -> None:
    artifact_directory.rename(artifact_directory.with_name("copy"))
    (found,) = find_artifacts(artifact_directory.parent)
    assert found.id == "copy"
    assert "rename it to mean-colour-onnx-fp32" in str(found.artifact)


def test_read_from_reads_what_bears_its_id(artifact_directory: Path) -> None:
    artifact = read_from(artifact_directory.parent, "mean-colour-onnx-fp32")
    assert artifact.directory == artifact_directory


@pytest.mark.parametrize("id_", ["copy", "other/../mean-colour-onnx-fp32", "."])
def test_read_from_refuses_the_artifact_of_another_id(artifact_directory: Path, id_: str) -> None:
    repository = artifact_directory.parent
    (repository / "other").mkdir()
    for place in ("copy", "."):
        shutil.copytree(artifact_directory, repository / place, dirs_exist_ok=True)
    with pytest.raises(ArtifactError, match="rename it to mean-colour-onnx-fp32"):
        read_from(repository, id_)


def test_named_artifact_by_a_name_that_several_have_lists_their_ids(
    artifact_directory: Path,
) -> None:
    repository, id_ = artifact_directory.parent, artifact_directory.name
    name = id_.removesuffix("-onnx-fp32")
    assert named_artifact(repository, name).directory == artifact_directory
    other = shutil.copytree(artifact_directory, repository / f"{name}-onnx-int8") / "manifest.json"
    text = other.read_text().replace(id_, f"{name}-onnx-int8")
    other.write_text(json.dumps({**json.loads(text), "precision": "int8"}))
    told = f"'{name}' is the name of several artifacts in .*: {id_}, {name}-onnx-int8; give the id"
    with pytest.raises(InputError, match=told):
        named_artifact(repository, name)


def test_find_artifacts_while_one_of_them_goes_still_finds_the_others(
    artifact_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, look = artifact_directory.parent, Path.iterdir
    (repository / "going").mkdir()

    def gone_by_then(path: Path) -> Iterator[Path]:
        if path.name == "going":
            path.rmdir()
        return look(path)

    monkeypatch.setattr(Path, "iterdir", gone_by_then)
    (found,) = find_artifacts(repository)

    assert found.id == artifact_directory.name


def test_find_artifacts_of_a_repository_that_is_not_there_yet(tmp_path: Path) -> None:
    assert find_artifacts(tmp_path / "artifacts") == ()


def test_find_artifacts_of_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file")
    with pytest.raises(ArtifactError, match=r"cannot be listed .*--repository"):
        find_artifacts(tmp_path / "artifacts")


PUBLISHED = "published with resnet18 IMAGENET1K_V1"


@pytest.mark.parametrize(
    ("source", "input_spec", "weights", "to_add"),
    [
        pytest.param("untrained", None, "--weights untrained ", "", id="untrained"),
        pytest.param("https://a.org/b.pth", PUBLISHED, "", "", id="pretrained"),
        pytest.param(
            "https://a.org/b.pth", "given", "", " (add your --input-spec)", id="own-input-spec"
        ),
        pytest.param(
            *("my file.pth", PUBLISHED, ""),
            " (add --weights with the path of 'my file.pth', --labels if you gave them)",
            id="own-checkpoint",
        ),
        pytest.param(
            *("my.pth", "given", ""),
            " (add --weights with the path of 'my.pth', --labels if you gave them, "
            "your --input-spec)",
            id="own-checkpoint-and-input-spec",
        ),
    ],
)
def test_rebuild_command_says_what_the_manifest_cannot_know(
    artifact_directory: Path,
    change_manifest: Edit,
    source: str,
    input_spec: str | None,
    weights: str,
    to_add: str,
) -> None:
    artifact = read_artifact(artifact_directory)
    row = replace(artifact.manifest.weights, source=source, input_spec_source=input_spec)
    change_manifest(artifact_directory, weights=row, network="resnet18")
    assert rebuild_command(read_artifact(artifact_directory)) == (
        "stride export resnet18 --format onnx --precision fp32 --name mean-colour "
        f"{weights}--repository {artifact_directory.parent}{to_add}"
    )


def test_rebuild_command_of_int8_asks_for_the_calibration_pictures(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    id_ = "mean-colour-onnx-int8"
    change_manifest(artifact_directory, precision="int8", id=id_)
    renamed = artifact_directory.rename(artifact_directory.parent / id_)
    assert "(add --calibration if you gave pictures)" in rebuild_command(read_artifact(renamed))


@pytest.mark.parametrize(
    "name", ["", "Upper", "../up", "a/b", ".hidden", "-option", "ünï", "a" * 65, "a b", "a\n"]
)
def test_artifact_id_refuses_names_unfit_for_a_path(name: str) -> None:
    with pytest.raises(InputError, match="expected 1 to 64 of a-z, 0-9"):
        artifact_id(name, "onnx", "fp32")


def test_artifact_id_joins_name_format_and_precision() -> None:
    assert artifact_id("a" * 64, "onnx", "int8") == "a" * 64 + "-onnx-int8"
