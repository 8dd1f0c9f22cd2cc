"""What was done and what was found, on disk after every step, so that a run may end at any moment
and another goes on where it stopped.

`steps.jsonl`: a line for each step; `gpu.jsonl`: the measurements; `suite.log`: tracebacks.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from measuring.errors import InputError
from measuring.record import Measurement, Scalar, now, read_measurements, write_measurements

Outcome = Literal["done", "failed", "skipped", "out of time"]
STEPS, RECORDS, LOG = "steps.jsonl", "gpu.jsonl", "suite.log"


@dataclass(frozen=True)
class Entry:
    """How one step ended; `message`: what it found, or why it did not."""

    stage: str
    step: str
    outcome: Outcome
    seconds: float
    message: str
    at: str


class Journal:
    """Everything known so far; `resume`: the folder of an earlier run, whose finished points count
    as done here. Raises InputError for a folder that cannot be read."""

    def __init__(self, folder: Path, *, resume: Path | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.entries: list[Entry] = []
        self.measurements: list[Measurement] = []
        for source in dict.fromkeys((resume, folder)):
            if source is not None:
                self.entries += _read_entries(source / STEPS)
                self.measurements += _read_records(source / RECORDS)
        lines = "".join(map(_line, self.entries))
        (folder / STEPS).write_text(lines, encoding="utf-8")
        self.add([])

    def finished(self, stage: str, step: str) -> bool:
        """Whether the last attempt at the step was done."""
        outcomes = [e.outcome for e in self.entries if (e.stage, e.step) == (stage, step)]
        return bool(outcomes) and outcomes[-1] == "done"

    def has(self, name: str, **settings: Scalar) -> bool:
        """Whether there is a measurement with this name and these settings among its own."""
        return self.find(name, **settings) is not None

    def find(self, name: str, **settings: Scalar) -> Measurement | None:
        """The latest one."""
        for measured in reversed(self.measurements):
            if measured.name == name and settings.items() <= measured.settings.items():
                return measured
        return None

    def add(self, measurements: Iterable[Measurement]) -> None:
        """Kept at once."""
        self.measurements += measurements
        write_measurements(self.folder / RECORDS, self.measurements)

    def end(self, stage: str, step: str, outcome: Outcome, seconds: float, message: str) -> Entry:
        """Note how a step ended."""
        entry = Entry(stage, step, outcome, seconds, message, now())
        self.entries.append(entry)
        with (self.folder / STEPS).open("a", encoding="utf-8") as file:
            file.write(_line(entry))
        return entry

    def log(self, text: str) -> None:
        """For what is too long for a table."""
        with (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(text.rstrip("\n") + "\n")


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry)) + "\n"


def _read_entries(path: Path) -> list[Entry]:
    if not path.exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [Entry(**json.loads(line)) for line in lines]
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} is no journal of this suite: {error}; name another folder"
        ) from error


def _read_records(path: Path) -> list[Measurement]:
    return list(read_measurements(path)) if path.exists() else []
