"""The finished parts of a benchmark run, a line of JSON each, so that it can be resumed."""

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from benchmarks.bench_messages import Opened, Visited
from benchmarks.bench_plan import Plan
from measuring.errors import InputError

SUFFIX = ".journal"


@dataclass(frozen=True)
class Round:
    """Engines opened in fresh processes: facts by candidate, and why others are left out; of the
    first round, how many `blocks` there will be in all rounds."""

    number: int
    blocks: int
    opened: dict[str, Opened]
    left_out: dict[str, str]


@dataclass(frozen=True)
class Block:
    """A visit to every point: by candidate and batch size. `calibration`: seconds of the same
    arithmetic just before; `throttle_reasons`: NVML's bits, of all GPUs."""

    number: int
    round: int
    visits: dict[str, dict[int, Visited]]
    calibration: float
    load: float
    throttle_reasons: int = 0
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Accuracy:
    """Top-1 in [0, 1], by candidate; `source` says of which pictures."""

    top1: dict[str, float]
    source: str


@dataclass(frozen=True)
class _Line:
    plan: Plan | None = None
    round: Round | None = None
    block: Block | None = None
    accuracy: Accuracy | None = None


@dataclass(frozen=True)
class Journal:
    """All that a run has written so far."""

    plan: Plan
    rounds: tuple[Round, ...] = ()
    blocks: tuple[Block, ...] = ()
    accuracy: Accuracy | None = None

    @property
    def left_out(self) -> dict[str, str]:
        """Candidates that failed at any time, and why."""
        found: dict[str, str] = {}
        for round_ in self.rounds:
            found |= round_.left_out
        for block in self.blocks:
            found |= block.left_out
        return found


_ADAPTER = TypeAdapter(_Line)


def write_line(path: Path, part: Plan | Round | Block | Accuracy) -> None:
    """Adds a finished part. Raises InputError for a folder that cannot be written."""
    line = _Line(
        plan=part if isinstance(part, Plan) else None,
        round=part if isinstance(part, Round) else None,
        block=part if isinstance(part, Block) else None,
        accuracy=part if isinstance(part, Accuracy) else None,
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _cut_half_a_line(path)
        with path.open("ab") as file:
            file.write(_ADAPTER.dump_json(line) + b"\n")
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}); choose another folder with --output"
        ) from error


def _cut_half_a_line(path: Path) -> None:
    """What an interrupted writer left would run into the next line."""
    if path.exists() and not (written := path.read_bytes()).endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(written.rfind(b"\n") + 1)


def read_journal(path: Path) -> Journal:
    """What is there; a last line that was cut short counts as not written.

    Raises InputError for a file that cannot be read or is no journal.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError as error:
        present = ", ".join(sorted(it.stem for it in path.parent.glob(f"*{SUFFIX}"))) or "none"
        raise InputError(
            f"no run {path.stem!r} in {path.parent}, there are: {present}; give one of these to "
            "--resume"
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from error
    parts: list[_Line] = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            parts.append(_ADAPTER.validate_json(line))
        except ValidationError as error:
            raise InputError(
                f"{path} line {number} is no part of a journal; measure again"
            ) from error
    if not parts or parts[0].plan is None:
        raise InputError(f"{path} has no plan; measure again")
    return Journal(
        plan=parts[0].plan,
        rounds=tuple(part.round for part in parts if part.round),
        blocks=tuple(part.block for part in parts if part.block),
        accuracy=next((part.accuracy for part in parts if part.accuracy), None),
    )
