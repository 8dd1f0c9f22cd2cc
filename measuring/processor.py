"""What the processor is: model, instruction sets that inference cares about, cores, clock."""

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FEATURES = (
    *("avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_int8", "amx_bf16"),
    *("neon", "asimd", "asimddp", "fphp", "asimdhp", "i8mm", "bf16", "sve", "sve2", "sme"),
)


@dataclass(frozen=True)
class Processor:
    """Facts that stay: `features` are those of FEATURES it has, in that order; `virtual` when a
    hypervisor shows it, so that cores may be shared with strangers."""

    model: str
    architecture: str
    features: tuple[str, ...]
    physical_cores: int
    logical_cores: int
    virtual: bool


def processor(*, proc: Path = Path("/proc")) -> Processor:
    """Read from the kernel's table; what it does not tell is filled from `platform`."""
    entries = list(_entries(proc / "cpuinfo"))
    first = entries[0] if entries else {}
    flags = set((first.get("flags") or first.get("Features") or "").split())
    logical = len(entries) or os.cpu_count() or 1
    sockets_and_cores = {
        (entry["physical id"], entry["core id"])
        for entry in entries
        if "physical id" in entry and "core id" in entry
    }
    return Processor(
        model=_model(first),
        architecture=platform.machine(),
        features=tuple(feature for feature in FEATURES if feature in flags),
        physical_cores=len(sockets_and_cores) or logical,
        logical_cores=logical,
        virtual="hypervisor" in flags,
    )


def frequency(*, proc: Path = Path("/proc")) -> float | None:
    """The fastest core's clock at this moment in hertz; None where the kernel does not say."""
    clocks = [entry["cpu MHz"] for entry in _entries(proc / "cpuinfo") if "cpu MHz" in entry]
    return max(map(float, clocks)) * 1e6 if clocks else None


def governor(*, devices: Path = Path("/sys/devices/system/cpu")) -> str | None:
    """How the clock is chosen (`performance`, `powersave`, ...); None where it is not shown,
    as in most virtual machines."""
    try:
        return (devices / "cpu0" / "cpufreq" / "scaling_governor").read_text().strip()
    except OSError:
        return None


def _model(entry: dict[str, str]) -> str:
    """Arm kernels name no model, only the numbers of the maker and the part."""
    if name := entry.get("model name"):
        return " ".join(name.split())
    if "CPU part" in entry:
        return f"Arm implementer {entry.get('CPU implementer', '?')} part {entry['CPU part']}"
    return platform.processor() or platform.machine()


def _entries(path: Path) -> Iterator[dict[str, str]]:
    """One dictionary per logical core."""
    try:
        text = path.read_text()
    except OSError:
        return
    for paragraph in text.split("\n\n"):
        pairs = (line.partition(":") for line in paragraph.splitlines() if ":" in line)
        entry = {key.strip(): value.strip() for key, _, value in pairs}
        if "processor" in entry:
            yield entry
