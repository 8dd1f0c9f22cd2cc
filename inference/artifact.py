"""An artifact on disk: a directory that is exactly what its manifest says, or an error.

Nothing outside the directory is ever opened on a manifest's word.
"""

import hashlib
import re
import shlex
from dataclasses import dataclass
from math import inf
from pathlib import Path

from inference.errors import ArtifactError
from inference.manifest import MANIFEST, REFERENCE, FileEntry, Manifest, read_manifest
from measuring.errors import InputError

IMPORTED = "imported"  # the network of an artifact that was made of somebody else's ONNX file
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_UNTRAINED, _GIVEN = "untrained", "given"  # in WeightsSource: made from a seed; by the user
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class Artifact:
    """A directory and what its manifest says about it."""

    directory: Path
    manifest: Manifest

    def path(self, file: str) -> Path:
        """Where a file of the artifact lies; raises ArtifactError for one that is not listed."""
        if file not in self.manifest.files:
            listed = ", ".join(self.manifest.files)
            raise _broken(self, f"{file!r} is not among its files, expected one of {listed}")
        return self.directory / file


@dataclass(frozen=True)
class Found:
    """A directory of the repository: an artifact, or the reason why it is none."""

    id: str
    artifact: Artifact | ArtifactError


def artifact_id(name: str, format: str, precision: str) -> str:  # noqa: A002  (the domain's word)
    """`<name>-<format>-<precision>`; raises InputError for a name unfit for a path or an URL."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"artifact name {name!r}: expected 1 to 64 of a-z, 0-9, '.', '_' and '-', "
            "beginning with a letter or digit; choose one with --name"
        )
    return f"{name}-{format}-{precision}"


def read_artifact(directory: Path) -> Artifact:
    """The artifact in `directory`, every listed file checked for size and SHA-256.

    Raises ArtifactError naming the file, what it is, what it should be and how to rebuild it.
    """
    manifest = read_manifest(directory)
    artifact = Artifact(directory, manifest)
    expected = artifact_id_of(manifest)
    if manifest.id != expected:
        raise _broken(artifact, f"its id is {manifest.id!r}, expected {expected!r}")
    if not manifest.variants or not manifest.labels:
        raise _broken(artifact, "it lists no variant or no label, expected at least one of each")
    artifact.path(REFERENCE)
    for variant in manifest.variants:
        artifact.path(variant.file)
        bound = variant.parity.bound
        if not 0.0 < bound < inf:
            what = f"the parity bound of {variant.file} is {bound}, expected finite and above 0"
            raise _broken(artifact, what)
    for file, entry in manifest.files.items():
        _check_file(artifact, file, entry)
    return artifact


def read_from(repository: Path, id: str) -> Artifact:  # noqa: A002  (the domain's word)
    """The artifact `id` of a repository: read and checked, and that its directory bears its id.

    Raises ArtifactError as `read_artifact` does, and for a directory with the artifact of another.
    """
    artifact = read_artifact(repository / id)
    if artifact.manifest.id != id:
        raise ArtifactError(
            f"{artifact.directory} holds the artifact {artifact.manifest.id!r}; in a repository "
            f"the directory bears the id: rename it to {artifact.manifest.id}"
        )
    return artifact


def named_artifact(repository: Path, name: str) -> Artifact:
    """The artifact with this id, or the only one whose plain name it is.

    Raises ArtifactError for a damaged one, InputError for one that is not there, and for a
    plain name that several have, with what there is.
    """
    try:
        if (repository / name).is_dir():
            return read_from(repository, name)
    except OSError as error:
        raise ArtifactError(
            f"artifact {name!r} cannot be looked for in {repository} ({error.strerror}); "
            "expected a folder that can be read"
        ) from error
    found = find_artifacts(repository)
    same = [
        entry.artifact
        for entry in found
        if isinstance(entry.artifact, Artifact) and entry.artifact.manifest.name == name
    ]
    if len(same) == 1:
        return same[0]
    if same:
        ids = ", ".join(artifact.manifest.id for artifact in same)
        raise InputError(
            f"{name!r} is the name of several artifacts in {repository}: {ids}; give the id of one"
        )
    present = ", ".join(entry.id for entry in found) or "nothing"
    raise InputError(
        f"no artifact {name!r} in {repository}; there is: {present}; "
        "make it with `stride export`, or name another folder with --repository"
    )


def find_artifacts(repository: Path) -> tuple[Found, ...]:
    """Every directory of the repository by name; a broken one comes with its error.

    Hidden directories are skipped: that is where exports are built. So are those with nothing but
    directories: other things may be kept beside the artifacts. A repository that does not exist
    yet holds nothing; raises ArtifactError for one that cannot be listed.
    """
    try:
        directories = sorted(entry for entry in repository.iterdir() if _is_candidate(entry))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ArtifactError(
            f"repository {repository} cannot be listed ({error.strerror}), expected a directory "
            "of artifacts; choose another with --repository"
        ) from error
    return tuple(Found(entry.name, _try_read(entry)) for entry in directories)


def artifact_id_of(manifest: Manifest) -> str:
    """The id that follows from the manifest's name, format and precision."""
    try:
        return artifact_id(manifest.name, manifest.format, manifest.precision)
    except InputError as error:
        raise ArtifactError(f"the manifest of {manifest.id!r} is damaged: {error}") from error


def describe(path: Path) -> FileEntry:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(sha256=digest, size=path.stat().st_size)


def rebuild_command(artifact: Artifact) -> str:
    """The command line that makes this artifact again, followed by what must be added to it where
    the manifest does not know: it has no paths of the machine that it was made on."""
    manifest, weights = artifact.manifest, artifact.manifest.weights
    if manifest.network == IMPORTED:
        return _import_command(artifact)
    words = ["stride", "export", manifest.network]
    words += ["--format", manifest.format, "--precision", manifest.precision]
    if manifest.name != manifest.network:
        words += ["--name", manifest.name]
    if weights.source == _UNTRAINED:
        words += ["--weights", weights.source]
    words += _plan_options(manifest)
    if manifest.format == "aoti" and "gpu" in manifest.bound_to:
        words += ["--device", "cuda"]
    command = shlex.join([*words, "--repository", str(artifact.directory.parent)])
    to_add = []
    if weights.source != _UNTRAINED and not weights.source.startswith("https://"):
        to_add += [f"--weights with the path of {weights.source!r}", "--labels if you gave them"]
    if weights.input_spec_source == _GIVEN:
        to_add.append("your --input-spec")
    if manifest.precision == "int8":
        to_add.append("--calibration if you gave pictures")
    if manifest.format == "tensorrt":
        to_add.append("--max-batch if you gave it")
    return f"{command} (add {', '.join(to_add)})" if to_add else command


def _plan_options(manifest: Manifest) -> list[str]:
    """Those that a plan was built with, as its `bound_to` tells."""
    bound_to = manifest.bound_to
    if manifest.format != "tensorrt" or not bound_to:
        return []
    options = []
    if bound_to.get("tensorrt", "").startswith(">="):
        options.append("--version-compatible")
    if "gpu" not in bound_to:
        any_later = bound_to.get("compute_capability", "").startswith(">=")
        level = "ampere_plus" if any_later else "same_compute_capability"
        options += ["--hardware-compatible", level]
    return options


def _import_command(artifact: Artifact) -> str:
    manifest, weights = artifact.manifest, artifact.manifest.weights
    words = ["stride", "import", weights.source, "--name", manifest.name]
    if not weights.trained:
        words.append("--untrained")
    command = shlex.join([*words, "--repository", str(artifact.directory.parent)])
    to_add = [f"the folder of {weights.source!r}", "--labels if you gave them"]
    if weights.input_spec_source == _GIVEN:
        to_add.append("your --input-spec")
    return f"{command} (add {', '.join(to_add)})"


def _is_candidate(entry: Path) -> bool:
    if entry.name.startswith(".") or not entry.is_dir():
        return False
    try:
        inside = [path.is_dir() for path in entry.iterdir()]
    except FileNotFoundError:  # it went since; that is nothing about the others
        return False
    return not inside or not all(inside)


def _try_read(directory: Path) -> Artifact | ArtifactError:
    try:
        return read_from(directory.parent, directory.name)
    except ArtifactError as error:
        return error


def _check_file(artifact: Artifact, file: str, entry: FileEntry) -> None:
    path = artifact.directory / file
    if not _FILE.fullmatch(file) or file == MANIFEST or path.is_symlink():
        raise _broken(
            artifact, f"it lists {file!r}, expected plain files directly inside the directory"
        )
    if not path.is_file():
        raise _broken(artifact, f"{file} is missing, expected {entry.size} bytes")
    try:
        received = describe(path)
    except OSError as error:
        raise _broken(artifact, f"{file} cannot be read ({error.strerror})") from error
    if received.size != entry.size:
        raise _broken(artifact, f"{file} has {received.size} bytes, expected {entry.size}")
    if received.sha256 != entry.sha256:
        raise _broken(artifact, f"{file} has SHA-256 {received.sha256}, expected {entry.sha256}")


def _broken(artifact: Artifact, what: str) -> ArtifactError:
    return ArtifactError(
        f"{artifact.directory} is damaged: {what}; rebuild it with: {rebuild_command(artifact)}"
    )
