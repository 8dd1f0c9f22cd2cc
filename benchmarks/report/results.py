"""What lies in `results/`: records of every kind, the newest run of each, older ones beside."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from benchmarks.report.readable import damage
from measuring.errors import InputError, MissingError
from measuring.machine import Machine
from measuring.record import SUFFIX, Measurement, read_measurements

Records = tuple[Measurement, ...]


@dataclass(frozen=True)
class Run:
    """All records of one kind that were made together; `name` is the run's id, or its file."""

    name: str
    kind: str
    path: Path
    records: Records

    @property
    def started(self) -> str:
        """When its first record was begun."""
        return min(record.started for record in self.records)

    @property
    def machine(self) -> Machine:
        """Where it was made."""
        return self.records[0].machine


@dataclass(frozen=True)
class Results:
    """`runs`: all, the newest first; `unread`: files of which not everything is used, and why."""

    directory: Path
    runs: tuple[Run, ...]
    unread: Mapping[str, str] = field(default_factory=dict)

    def newest(self, kind: str, machine: Machine | None = None) -> Run | None:
        """The newest run of a kind, of `machine` if it has one."""
        runs = [run for run in self.runs if run.kind == kind]
        here = [run for run in runs if machine is not None and run.machine.key == machine.key]
        return next(iter(here or runs), None)

    def records(self, kind: str, machine: Machine | None = None) -> Records:
        """Those of the newest run, of `machine` alone where one is given; none where there is no
        such run."""
        run = self.newest(kind, machine)
        if run is None or (machine is not None and run.machine.key != machine.key):
            return ()
        return run.records

    def named(self, name: str, kind: str) -> Run:
        """By id, by the beginning of an id or by file. Raises InputError for none or several."""
        runs = [run for run in self.runs if run.kind == kind]
        exact = [run for run in runs if name in (run.name, str(run.path), run.path.name)]
        found = exact or [run for run in runs if run.name.startswith(name)]
        if len(found) == 1:
            return found[0]
        names = [run.name for run in runs]
        if found:
            raise InputError(
                f"run {name!r} is several: {', '.join(run.name for run in found)}; name one of them"
            )
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(
            f"no run {name!r} of {kind} in {self.directory}: {hint}expected one of "
            f"{', '.join(names) or 'none, for there are none'}"
        )


def read_results(directory: Path) -> Results:
    """Every record under `directory`. Raises MissingError where there is no such folder."""
    if not directory.is_dir():
        raise MissingError(
            f"results folder {directory} does not exist; make records with `stride bench`, or name "
            "another folder with --results"
        )
    found: dict[tuple[str, str, Path], list[Measurement]] = {}
    unread = {}
    for path in sorted(directory.rglob(f"*{SUFFIX}")):
        name = str(path.relative_to(directory))
        try:
            records = read_measurements(path)
        except InputError as error:
            unread[name] = str(error)
            continue
        damaged = []
        for record in records:
            if (why := damage(record)) is not None:
                damaged.append(f"a record named {record.name} is left out: {why}")
                continue
            run = str(record.settings.get("run") or name)
            found.setdefault((record.name, run, path), []).append(record)
        if damaged:
            more = f" ({len(damaged) - 1} more like it)" if len(damaged) > 1 else ""
            unread[name] = f"{damaged[0]}{more}"
    runs = [Run(run, kind, path, tuple(of)) for (kind, run, path), of in found.items()]
    return Results(directory, tuple(_newest_first(runs)), unread)


def _newest_first(runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: (run.started, run.name), reverse=True)
