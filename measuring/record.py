"""Measurements on disk: one JSON line each, raw samples in an .npz beside.

The lines are small and are kept; the samples may be thrown away, and what is then left says so.
"""

import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from measuring.errors import InputError
from measuring.latencies import Histogram, Latencies
from measuring.machine import Machine

Scalar = str | int | float | bool | None
SUFFIX = ".jsonl"
SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Measurement:
    """One thing measured once: latencies in seconds, under `settings`, on `machine`.

    `started` is an ISO 8601 time; `reasons` say why the numbers should not be trusted.
    Raises InputError for an empty name or for settings that are no finite scalars.
    """

    name: str
    settings: Mapping[str, Scalar]
    latencies: Latencies
    machine: Machine
    started: str
    reasons: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name:
            raise InputError("measurement without a name; say what was measured")
        for name, value in self.settings.items():
            if not isinstance(value, Scalar) or (
                isinstance(value, float) and not math.isfinite(value)
            ):
                raise InputError(
                    f"measurement {self.name!r}: setting {name!r} is {value!r}, "
                    "expected text, a finite number, true, false or null"
                )
        try:
            datetime.fromisoformat(self.started)
        except ValueError as error:
            raise InputError(
                f"measurement {self.name!r}: started is {self.started!r}, "
                "expected an ISO 8601 time such as 2026-01-31T12:00:00+00:00"
            ) from error

    @property
    def valid(self) -> bool:
        """Nothing speaks against the numbers."""
        return not self.reasons


def now() -> str:
    """The time for `started`: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_measurements(path: Path, measurements: Sequence[Measurement]) -> None:
    """Write `path` (must end in .jsonl) and the raw samples as .npz beside it.

    Each file appears whole or not at all; what was there before is replaced.
    """
    _require_suffix(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    samples_path = path.with_suffix(".npz")
    lines = [_line(m, samples_path.name, index) for index, m in enumerate(measurements)]
    arrays = {
        f"{index}.{kind}": array
        for index, measurement in enumerate(measurements)
        for kind in ("samples", "blocks")
        if (array := getattr(measurement.latencies, kind)) is not None
    }
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    partial.replace(samples_path)
    partial.write_bytes(b"".join(_ADAPTER.dump_json(line) + b"\n" for line in lines))
    partial.replace(path)


def append_measurements(path: Path, measurements: Sequence[Measurement]) -> None:
    """Add to what `path` holds, if it exists; its raw samples stay."""
    before = read_measurements(path) if path.exists() else ()
    write_measurements(path, [*before, *measurements])


def read_measurements(path: Path) -> tuple[Measurement, ...]:
    """Every record of `path`, with its raw samples if the .npz is still beside it.

    `measurement.latencies.raw` tells whether it was. Raises InputError for a file that cannot be
    read, a damaged line (by its number) or samples that are not those of the records.
    """
    _require_suffix(path)
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}; expected the .jsonl file that a run names"
        ) from error
    arrays = _read_samples(path.with_suffix(".npz"))
    return tuple(
        _measurement(path, _parse(path, lines, number), arrays)
        for number, line in enumerate(lines, 1)
        if line.strip()
    )


@dataclass(frozen=True)
class _Line:
    """A record as it is written; `samples` is `FILE.npz#INDEX`."""

    name: str
    settings: dict[str, Scalar]
    started: str
    valid: bool
    reasons: tuple[str, ...]
    unit: str
    count: int
    summary: dict[str, float]
    histogram: Histogram
    samples: str | None
    machine: Machine
    schema: int = SCHEMA


_ADAPTER = TypeAdapter(_Line)


def _line(measurement: Measurement, samples_name: str, index: int) -> _Line:
    found = measurement.latencies
    return _Line(
        name=measurement.name,
        settings=dict(measurement.settings),
        started=measurement.started,
        valid=measurement.valid,
        reasons=measurement.reasons,
        unit="seconds",
        count=found.count,
        summary=found.summary,
        histogram=found.histogram,
        samples=f"{samples_name}#{index}" if found.raw else None,
        machine=measurement.machine,
    )


def _parse(path: Path, lines: Sequence[bytes], number: int) -> _Line:
    """Only a line cut short by an interrupted writer has no line break after it."""
    try:
        line = _ADAPTER.validate_json(lines[number - 1])
    except (ValidationError, InputError) as error:
        if number == len(lines):
            raise InputError(
                f"{path} line {number} is half-written, its writer was interrupted; "
                f"remove that line to use the {number - 1} before it"
            ) from error
        raise InputError(
            f"{path} line {number} is no measurement: {_first_problem(error)}"
        ) from error
    if line.schema != SCHEMA:
        raise InputError(
            f"{path} line {number} has schema {line.schema}, expected {SCHEMA}; measure again"
        )
    return line


def _first_problem(error: ValidationError | InputError) -> str:
    if isinstance(error, InputError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the line'}: {first['msg']}"


def _read_samples(path: Path) -> dict[str, NDArray[Any]]:
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"{path} holds no readable samples ({error}); remove it to use the histograms alone"
        ) from error


def _measurement(path: Path, line: _Line, arrays: Mapping[str, NDArray[Any]]) -> Measurement:
    if line.count != sum(line.histogram.counts):
        raise InputError(
            f"{path}: the record of {line.name!r} counts {line.count} latencies, "
            f"its histogram {sum(line.histogram.counts)}; measure again"
        )
    index = (line.samples or "").rpartition("#")[2]
    samples = arrays.get(f"{index}.samples")
    if samples is not None and not line.histogram.holds(samples):
        raise InputError(
            f"{path.with_suffix('.npz')} is not the one written with {path.name}: the samples of "
            f"{line.name!r} are not those of its histogram; remove it to use the histograms alone"
        )
    return Measurement(
        name=line.name,
        settings=line.settings,
        latencies=Latencies(line.summary, line.histogram, samples, arrays.get(f"{index}.blocks")),
        machine=line.machine,
        started=line.started,
        reasons=line.reasons,
    )


def _require_suffix(path: Path) -> None:
    if path.suffix != SUFFIX:
        raise InputError(f"{path}: measurements are kept in files that end in {SUFFIX}")
