"""Where the demo's weights come from, and the artifacts made of them: published checkpoints,
digits learnt on the spot, or none that ever learnt."""

import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path

from demo.command import python, run_command, stride
from demo.pictures import Picture, held_out, photographs
from demo.screen import Screen
from measuring.errors import CheckError, MissingError

NETWORKS = ("fasternet_t0", "mobilenet_v2", "shufflenet_v2_x1_0")
SEED = 0
REQUESTS = 700  # per network, at least: enough to claim a 99th percentile
TRAINER = Path(__file__).resolve().parent.parent / "examples" / "digits" / "train.py"
EXPORT_LIMIT = 900.0  # seconds, downloads included
TRAINING_LIMIT = 1800.0
VERIFY_LIMIT = 300.0
_IMAGENET_TITLES = {
    "pretrained": "Export with the published ImageNet weights",
    "untrained": "Export with weights that never learnt",
}
_MISSING = MissingError.exit_code
_MOST_HEADER = 1 << 20  # bytes


@dataclass(frozen=True)
class Prepared:
    """Artifacts that can be served, and what to send them."""

    kind: str
    repository: Path
    models: tuple[str, ...]
    pictures: tuple[Picture, ...]


def prepare(weights: str, directory: Path, screen: Screen) -> Prepared:
    """`weights`: auto, pretrained, digits or untrained; all files under `directory`.

    Raises MissingError for weights that cannot be had and CheckError for a command that failed.
    """
    if weights == "digits":
        return _digits(directory / "digits", screen)
    kind = "pretrained" if weights == "auto" else weights
    try:
        repository = _export_imagenet(kind, directory / kind, screen)
    except MissingError:
        if weights != "auto":
            raise
        screen.note(
            "The published weights cannot be had, as it says above. Going on without them: "
            "the networks learn handwritten digits here, real pictures with a real accuracy."
        )
        return _digits(directory / "digits", screen)
    pictures = photographs(directory / kind / "pictures")
    return Prepared(kind, repository, _ids(), pictures * math.ceil(REQUESTS / len(pictures)))


def _export_imagenet(kind: str, directory: Path, screen: Screen) -> Path:
    """The repository with the artifacts. Raises MissingError for weights that cannot be had."""
    repository = directory / "artifacts"
    screen.step(_IMAGENET_TITLES[kind])
    command = stride("export", *NETWORKS, "--weights", kind, "--repository", repository)
    code = run_command(command, screen, timeout=EXPORT_LIMIT)
    if code == _MISSING:
        raise MissingError(f"the {kind} weights cannot be had, as `{command.line}` says above")
    _require_success(code, command.line)
    _verify(repository, screen)
    return repository


def _digits(directory: Path, screen: Screen) -> Prepared:
    repository = directory / "artifacts"
    screen.step("Train on scikit-learn's handwritten digits, 40 % of them held out")
    _train(directory, repository, screen)
    screen.step("Export to ONNX, each proved to answer as its original (some seconds each)")
    for network in NETWORKS:
        command = stride(
            *("export", network, "--weights", _checkpoint(directory, network)),
            *("--labels", directory / "labels.txt", "--input-spec", directory / "input.toml"),
            *("--repository", repository, "--quiet"),
        )
        _require_success(run_command(command, screen, timeout=EXPORT_LIMIT), command.line)
    _verify(repository, screen)
    return Prepared("digits", repository, _ids(), held_out(directory / "held_out"))


def _train(directory: Path, repository: Path, screen: Screen) -> None:
    """What an earlier run with the same seed has left is used again."""
    wanted = [name for name in NETWORKS if not _was_trained(_checkpoint(directory, name), name)]
    command = python(_shortest(TRAINER), *wanted, "--out", directory, "--seed", SEED)
    if not wanted:
        screen.note(
            f"Done by an earlier run, seed {SEED}: the checkpoints in {directory} are used again."
        )
        return
    if not TRAINER.is_file():
        raise MissingError(
            f"{TRAINER} is not there: the digits demo runs from a source checkout; "
            "clone the repository, or choose --weights pretrained or --weights untrained"
        )
    _require_success(run_command(command, screen, timeout=TRAINING_LIMIT), command.line)
    # An id stays with its weights, so artifacts of replaced checkpoints have to go.
    for network in wanted:
        shutil.rmtree(repository / _id(network), ignore_errors=True)


def _verify(repository: Path, screen: Screen) -> None:
    screen.step("Verify: the pictures and answers that an artifact carries, replayed here")
    command = stride("verify", *_ids(), "--repository", repository)
    _require_success(run_command(command, screen, timeout=VERIFY_LIMIT), command.line)


def _was_trained(checkpoint: Path, network: str) -> bool:
    """Whether the header of a safetensors file (eight bytes of length, then JSON) says so."""
    try:
        with checkpoint.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, _MOST_HEADER)))
        facts = json.loads(header["__metadata__"]["training"])
        return bool(facts["network"] == network and facts["seed"] == SEED)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _require_success(code: int, line: str) -> None:
    if code != 0:
        raise CheckError(f"`{line}` ended with exit code {code}; what it printed above tells why")


def _shortest(path: Path) -> Path:
    """Relative to where the command is typed, if it is below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _checkpoint(directory: Path, network: str) -> Path:
    return directory / f"{network}.safetensors"


def _id(network: str) -> str:
    return f"{network}-onnx-fp32"


def _ids() -> tuple[str, ...]:
    return tuple(_id(network) for network in NETWORKS)
