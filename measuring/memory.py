"""How much memory a process has, and has had."""

from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_UNIT = 1024  # the kernel writes kB and means KiB


@dataclass(frozen=True)
class Memory:
    """Bytes in memory now, and the most there ever were."""

    resident: int
    peak: int


def memory(process: int, *, proc: Path = _PROC) -> Memory | None:
    """Of one process; None where the kernel does not say."""
    try:
        lines = (proc / str(process) / "status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        resident, peak = (int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM"))
    except (OSError, KeyError, ValueError, IndexError):
        return None
    return Memory(resident * _UNIT, peak * _UNIT)


def available_memory(*, proc: Path = _PROC) -> int | None:
    """Bytes that can be taken without swapping; None where the kernel does not say."""
    try:
        lines = (proc / "meminfo").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith("MemAvailable:"))
        return int(line.split()[1]) * _UNIT
    except (OSError, ValueError, IndexError):
        return None
