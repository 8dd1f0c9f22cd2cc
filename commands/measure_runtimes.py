"""`--runtime auto`: every way to run what was exported, timed against one another on this machine,
and the winners kept for serving."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference.artifact import Artifact
    from inference.measure_runtimes import Measured
    from inference.profiles import Comparison, Way
    from measuring.timing import Schedule


def measure(
    artifacts: "Sequence[Artifact]",
    profiles: Path,
    *,
    quiet: bool = False,
    schedule: "Schedule | None" = None,
) -> "tuple[Comparison, ...]":
    """Times the artifacts, each network's against one another, prints a table for each network
    unless `quiet`, and adds the comparisons to the machine's profile in `profiles`.

    Raises InputError for a profile that is damaged or cannot be written, MissingError where no
    runtime can open the artifacts of a network.
    """
    from commands.output import print_step
    from inference.measure_runtimes import SCHEDULE, measure_runtimes
    from inference.profiles import add_comparison, read_profile
    from measuring.machine import fingerprint

    machine = fingerprint()
    read_profile(profiles, machine)  # a damaged one is an error before minutes of measuring
    report = _silent if quiet else print_step
    comparisons = []
    for same in _by_network(artifacts):
        measured = measure_runtimes(
            same, machine.libraries, schedule=schedule or SCHEDULE, report=report
        )
        path = add_comparison(profiles, machine, measured.comparison)
        if not quiet:
            _print(measured)
        report(f"profile: {path}")
        comparisons.append(measured.comparison)
    return tuple(comparisons)


def _silent(step: str) -> None:
    """For scripts."""


def _by_network(artifacts: "Sequence[Artifact]") -> "list[list[Artifact]]":
    networks: dict[tuple[str, str], list[Artifact]] = {}
    for artifact in artifacts:
        manifest = artifact.manifest
        networks.setdefault((manifest.name, manifest.weights.sha256), []).append(artifact)
    return list(networks.values())


def _print(measured: "Measured") -> None:
    """A row for each way: images per second, half the width of their 95 % interval, who won."""
    from commands.output import print_step, print_table

    comparison = measured.comparison
    sizes = sorted({timing.batch for timing in comparison.timings})
    columns = ["artifact", "runtime", *(f">images/s at {size}" for size in sizes), "wins"]
    ways = dict.fromkeys(timing.way for timing in comparison.timings)
    print_table(columns, [_row(comparison, way, sizes) for way in ways])
    for entry in measured.left_out:
        way = entry.way
        print_step(f"not timed: {way.artifact} with {way.runtime} on {way.device}: {entry.reason}")


def _row(comparison: "Comparison", way: "Way", sizes: Sequence[int]) -> tuple[str, ...]:
    figures = []
    for size in sizes:
        (timing,) = (t for t in comparison.timings if (t.way, t.batch) == (way, size))
        images = timing.images_per_second
        figures.append(f"{images.estimate:.0f} ± {(images.high - images.low) / 2:.0f}")
    won = [
        "overall" if winner.batch is None else f"at {winner.batch}"
        for winner in comparison.winners
        if winner.artifact is None and winner.way == way
    ]
    engine = next(timing.engine for timing in comparison.timings if timing.way == way)
    return (way.artifact, engine, *figures, ", ".join(won))
