"""Who used the cores while something was timed: we, others, or the hypervisor."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from measuring.cores import affinity

_PROC = Path("/proc")
_BUSY = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq: columns of /proc/stat
_STOLEN = 7


@dataclass(frozen=True)
class Activity:
    """Seconds of processor time since the machine started, on the cores we may use: `busy` by
    anyone, `stolen` by the hypervisor for other machines, `own` by the processes asked about."""

    busy: float
    stolen: float
    own: float


@dataclass(frozen=True)
class Shares:
    """Of the processor time of a while, on the cores we may use: what other processes took, and
    what the hypervisor took."""

    others: float
    stolen: float


def activity(processes: Iterable[int], *, proc: Path = _PROC) -> Activity | None:
    """Up to now; `processes`: ids of ours, of which one that has ended counts nothing. None where
    the kernel does not say. The kernel counts in hundredths of a second."""
    ticks = os.sysconf("SC_CLK_TCK")
    allowed = {f"cpu{core}" for core in affinity()}
    try:
        lines = [line.split() for line in (proc / "stat").read_text().splitlines()]
        rows = [list(map(int, words[1:])) for words in lines if words and words[0] in allowed]
        busy = sum(row[column] for row in rows for column in _BUSY)
        stolen = sum(row[_STOLEN] for row in rows)
    except (OSError, ValueError, IndexError):
        return None
    if not rows:
        return None
    own = sum(_of_process(proc / str(process) / "stat") for process in processes)
    return Activity(busy / ticks, stolen / ticks, own / ticks)


def total(spans: Iterable[tuple[Activity, Activity]]) -> Activity:
    """What passed between the first and the second of each pair, summed."""
    passed = [
        (after.busy - before.busy, after.stolen - before.stolen, after.own - before.own)
        for before, after in spans
    ]
    busy, stolen, own = (
        (sum(column) for column in zip(*passed, strict=True)) if passed else (0,) * 3
    )
    return Activity(busy, stolen, own)


def shares(passed: Activity, *, seconds: float, cores: int) -> Shares:
    """Of `seconds` of `cores`, in which `passed` was used."""
    available = seconds * cores
    return Shares(
        others=max(0.0, passed.busy - passed.own) / available, stolen=passed.stolen / available
    )


def _of_process(path: Path) -> int:
    """User and system time of all its threads, in ticks; the name in brackets may hold spaces."""
    try:
        words = path.read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(words[11]) + int(words[12])
