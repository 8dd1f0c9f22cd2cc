"""Makes small records to commit of what `stride roofline`, `operators` and `claims` keep.

    python -m benchmarks.publish

Full runs only, without raw samples; operations that take little of a network's time are put
together by kind.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.pages import PUBLISHED, ROOT
from benchmarks.pieces import PIECE
from benchmarks.roofline import LAYER
from measuring.latencies import Latencies, latencies
from measuring.record import Measurement, read_measurements, write_measurements

RESULTS = ROOT / "results"
_LEAST = 0.03  # of a network's time
_SUMMED = ("count", "macs", "bytes")


def condensed(measurements: Sequence[Measurement], least: float = _LEAST) -> list[Measurement]:
    """Operations that take less than `least` of their network's time as one record for each kind.
    Needs the raw samples."""
    kept: list[Measurement] = []
    small: dict[tuple[object, ...], list[Measurement]] = {}
    totals: dict[tuple[object, ...], float] = {}
    for measured in measurements:
        if measured.name == LAYER:
            totals[_graph(measured)] = totals.get(_graph(measured), 0.0) + _median(measured)
    for measured in measurements:
        if measured.name == LAYER and _median(measured) < least * totals[_graph(measured)]:
            small.setdefault((*_graph(measured), measured.settings["kind"]), []).append(measured)
        else:
            kept.append(measured)
    return [*kept, *map(_together, small.values())]


def _together(some: Sequence[Measurement]) -> Measurement:
    sums = {key: sum(int(str(m.settings[key])) for m in some) for key in _SUMMED}
    shape = some[0].settings["shape"] if len(some) == 1 else f"{len(some)} shapes"
    samples = [m.latencies.samples for m in some if m.latencies.samples is not None]
    return replace(
        some[0],
        settings={**some[0].settings, **sums, "shape": shape},
        latencies=latencies(np.sum(samples, axis=0)),
    )


def _graph(measured: Measurement) -> tuple[object, ...]:
    settings = measured.settings
    return tuple(settings[key] for key in ("network", "runtime", "threads", "batch"))


def _median(measured: Measurement) -> float:
    return measured.latencies.percentile(50.0)


def publishable(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Those of full runs on the processor, without samples and without the piece they were kept
    in."""
    return [
        replace(
            measured,
            settings={key: value for key, value in measured.settings.items() if key != PIECE},
            latencies=Latencies(measured.latencies.summary, measured.latencies.histogram),
        )
        for measured in measurements
        if str(measured.settings.get(PIECE)).endswith("full")
    ]


def publish(source: Path, target: Path, change: Callable[..., list[Measurement]] = list) -> None:
    """From one file into another, which has no samples beside it."""
    full = publishable(change(read_measurements(source)))
    write_measurements(target, full)
    target.with_suffix(".npz").unlink()


def main() -> None:
    """Every file that there is."""
    for name, change in (("roofline", condensed), ("operators", list), ("claims", list)):
        source = RESULTS / f"{name}.jsonl"
        if source.exists():
            publish(source, PUBLISHED / source.name, change)


if __name__ == "__main__":
    main()
