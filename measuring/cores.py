"""How many cores this process may use: what it is pinned to and what its container is granted."""

import os
from pathlib import Path

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")


def available_cores(*, proc: Path = _PROC, cgroups: Path = _CGROUPS) -> int:
    """The smaller of CPU affinity and CPU quota, rounded down, at least 1.

    More threads than the quota only earn throttling, hence down; `proc` and `cgroups` are where
    the kernel shows its tables.
    """
    cores = len(affinity())
    quota = cpu_quota(proc=proc, cgroups=cgroups)
    return cores if quota is None else max(1, min(cores, int(quota)))


def affinity() -> tuple[int, ...]:
    """The logical cores this process may be scheduled on, in order."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def cpu_quota(*, proc: Path = _PROC, cgroups: Path = _CGROUPS) -> float | None:
    """Cores that control groups (v2 or v1) grant, a fraction possible; None when unlimited.

    Every group up to the root may limit, so the tightest one counts.
    """
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return None
    quotas: list[float] = []
    for line in lines:
        hierarchy, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if hierarchy == "0":
            quotas += [q for d in _upwards(cgroups, group) if (q := _quota_v2(d)) is not None]
        elif "cpu" in controllers.split(","):
            for mount in (cgroups / "cpu", cgroups / controllers):
                quotas += [q for d in _upwards(mount, group) if (q := _quota_v1(d)) is not None]
    return min(quotas, default=None)


def _upwards(mount: Path, group: str) -> list[Path]:
    """The group's directory and its parents up to the mount; inside a container the group's
    path is often the host's and does not exist, and then only the mount itself says something."""
    parts = [part for part in group.split("/") if part not in ("", "..")]
    return [mount.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]


def _quota_v2(directory: Path) -> float | None:
    try:
        granted, period = (directory / "cpu.max").read_text().split()
        return None if granted == "max" else int(granted) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _quota_v1(directory: Path) -> float | None:
    try:
        granted = int((directory / "cpu.cfs_quota_us").read_text())
        period = int((directory / "cpu.cfs_period_us").read_text())
        return granted / period if granted > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
