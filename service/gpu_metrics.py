"""Triton's `nv_gpu_*` series, for tools that expect them.

Each has the single label and the plain decimal number that Triton's perf_analyzer can read.
"""

from collections.abc import Callable, Sequence

from measuring.gpu import GpuReading

_GAUGES: tuple[tuple[str, str, str, Callable[[GpuReading], float | None]], ...] = (
    ("nv_gpu_utilization", "Share of time with work, 0 to 1", "gauge", lambda g: g.utilization),
    ("nv_gpu_power_usage", "Watts", "gauge", lambda g: g.power),
    ("nv_gpu_power_limit", "Watts allowed", "gauge", lambda g: g.power_limit),
    ("nv_energy_consumption", "Joules since the driver was loaded", "counter", lambda g: g.energy),
    ("nv_gpu_memory_total_bytes", "Bytes of memory", "gauge", lambda g: g.memory),
    ("nv_gpu_memory_used_bytes", "Bytes of memory in use", "gauge", lambda g: g.used),
)


def render_gpus(readings: Sequence[GpuReading]) -> str:
    """Exposition text; nothing for what a GPU does not tell."""
    lines: list[str] = []
    for name, text, kind, value in _GAUGES:
        known = [(gpu.uuid, told) for gpu in readings if (told := value(gpu)) is not None]
        if known:
            lines += (f"# HELP {name} {text}", f"# TYPE {name} {kind}")
            lines += (f'{name}{{gpu_uuid="{uuid}"}} {_plain(told)}' for uuid, told in known)
    return "".join(f"{line}\n" for line in lines)


def _plain(value: float) -> str:
    """Without an exponent, whatever its size."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
