"""Joules, where the processor's or the GPU's own counters can be read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from measuring.gpu import gpu_energies

RAPL = Path("/sys/class/powercap")
_JOULES_PER_MICROJOULE = 1e-6


@dataclass(frozen=True)
class Counter:
    """Joules since some moment; begins again at 0 after `most`."""

    joules: float
    most: float


def processor_energy(*, directory: Path = RAPL) -> dict[str, Counter]:
    """A counter for each processor package, as Intel's and AMD's RAPL count; empty where there is
    none or only root may read it, as is usual."""
    found = {}
    for domain in sorted(directory.glob("intel-rapl:*")):
        try:
            name = (domain / "name").read_text().strip()
            joules, most = (
                int((domain / file).read_text()) * _JOULES_PER_MICROJOULE
                for file in ("energy_uj", "max_energy_range_uj")
            )
        except (OSError, ValueError):
            continue
        if name.startswith("package"):  # cores and caches are parts of it
            found[name] = Counter(joules, most)
    return found


def gpu_energy() -> dict[str, Counter]:
    """A counter for each GPU that has one."""
    return {
        f"gpu-{index}": Counter(joules, float("inf"))
        for index, joules in enumerate(gpu_energies())
        if joules is not None
    }


def used(before: Mapping[str, Counter], after: Mapping[str, Counter]) -> float | None:
    """Joules between two readings by the counters that both have; None where there is none."""
    names = before.keys() & after.keys()
    if not names:
        return None
    return sum(_between(before[name], after[name]) for name in names)


def _between(before: Counter, after: Counter) -> float:
    passed = after.joules - before.joules
    return passed if passed >= 0.0 else passed + after.most
