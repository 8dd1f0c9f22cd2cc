"""Long measurements in pieces, each kept when it is done: what was interrupted goes on there."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from measuring.machine import Machine
from measuring.record import Measurement, read_measurements, write_measurements

PIECE = "piece"


def measured_piece(
    path: Path,
    piece: str,
    measure: Callable[[], list[Measurement]],
    machine: Machine,
    *,
    fresh: bool = False,
) -> list[Measurement]:
    """The records of `piece` that `path` (.jsonl) holds from this machine with these versions; if
    there are none, or `fresh`, what `measure` gives, which is kept there in their place."""
    before = read_measurements(path) if path.exists() else ()
    same = [found for found in before if found.settings.get(PIECE) == piece]
    if same and not fresh and not any(found.machine.differences(machine) for found in same):
        return same
    made = [replace(found, settings={**found.settings, PIECE: piece}) for found in measure()]
    write_measurements(path, [*(found for found in before if found not in same), *made])
    return made
