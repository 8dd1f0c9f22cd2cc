"""What NVIDIA GPUs do, in Triton's names where it has some, and in the service's own.

Triton's `nv_gpu_*` each have the single label and the plain decimal number that Triton's
perf_analyzer can read.
"""

from collections.abc import Callable, Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from measuring.gpu import GpuReading

PREFIX = "stride_gpu_"
Told = Callable[[GpuReading], float | None]

THROTTLE_REASONS = {
    "power_cap": 0x04,
    "hardware": 0x08,
    "software_thermal": 0x20,
    "hardware_thermal": 0x40,
    "power_brake": 0x80,
}
"""Why a clock is held back against its owner's will, and NVML's bit for it."""

_TRITONS: tuple[tuple[str, str, str, Told], ...] = (
    ("nv_gpu_utilization", "Share of time with work, 0 to 1", "gauge", lambda g: g.utilization),
    ("nv_gpu_power_usage", "Watts", "gauge", lambda g: g.power),
    ("nv_gpu_power_limit", "Watts allowed", "gauge", lambda g: g.power_limit),
    ("nv_energy_consumption", "Joules since the driver was loaded", "counter", lambda g: g.energy),
    ("nv_gpu_memory_total_bytes", "Bytes of memory", "gauge", lambda g: g.memory),
    ("nv_gpu_memory_used_bytes", "Bytes of memory in use", "gauge", lambda g: g.used),
)


class GpuCollector(Collector):
    """What Triton has no names for (all begin with PREFIX), of the `readings` it was given last;
    nothing for what no GPU tells."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.readings: Sequence[GpuReading] = ()
        registry.register(self)

    def describe(self) -> Sequence[GaugeMetricFamily]:
        """For the registry, which asks for a name only who has told it."""
        return (
            GaugeMetricFamily(
                "stride_gpu_temperature_celsius", "Of the GPU itself.", labels=("gpu",)
            ),
            GaugeMetricFamily("stride_gpu_clock_hertz", "Clock now.", labels=("gpu", "domain")),
            GaugeMetricFamily(
                "stride_gpu_throttled",
                "1 while clocks are held back for this reason.",
                labels=("gpu", "reason"),
            ),
        )

    def collect(self) -> Iterable[GaugeMetricFamily]:
        temperature, clock, throttled = families = self.describe()
        for gpu in self.readings:
            if gpu.temperature is not None:
                temperature.add_metric((gpu.uuid,), gpu.temperature)
            for domain, hertz in gpu.clocks.items():
                clock.add_metric((gpu.uuid, domain), hertz)
            if (bits := gpu.throttle_reasons) is not None:
                for reason, bit in THROTTLE_REASONS.items():
                    throttled.add_metric((gpu.uuid, reason), float(bool(bits & bit)))
        return [family for family in families if family.samples]


def render_gpus(readings: Sequence[GpuReading]) -> str:
    """Exposition text of Triton's names; nothing for what a GPU does not tell."""
    lines: list[str] = []
    for name, text, kind, value in _TRITONS:
        known = [(gpu.uuid, told) for gpu in readings if (told := value(gpu)) is not None]
        if known:
            lines += (f"# HELP {name} {text}", f"# TYPE {name} {kind}")
            lines += (f'{name}{{gpu_uuid="{uuid}"}} {_plain(told)}' for uuid, told in known)
    return "".join(f"{line}\n" for line in lines)


def _plain(value: float) -> str:
    """Without an exponent, whatever its size."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
