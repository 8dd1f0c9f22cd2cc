"""What NVIDIA GPUs are here and how they run at the moment, where nvidia-ml-py is installed."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from measuring.errors import MissingError

_HERTZ_PER_MEGAHERTZ = 1e6
_MILLIWATTS_PER_WATT = 1e3
_MILLIJOULES_PER_JOULE = 1e3


@dataclass(frozen=True)
class Gpu:
    """Facts that stay: memory in bytes, `capability` as `9.0`; `mig` when it is partitioned."""

    name: str
    driver: str
    memory: int
    capability: str
    mig: bool


@dataclass(frozen=True)
class GpuState:
    """One moment: clock in hertz, why it is held back (NVML's bits), watts, bytes in use.

    None for what this GPU, as when it is partitioned or shared, does not tell.
    """

    clock: float | None
    throttle_reasons: int | None
    power: float | None
    memory_used: int | None


@dataclass(frozen=True)
class GpuReading:
    """One moment of the GPU with this identifier: share of time with work from 0 to 1, watts and
    watts allowed, joules since the driver was loaded, bytes of memory, and of them in use, degrees
    Celsius, hertz of the clock of each domain, and why clocks are held back (NVML's bits).

    None, or no domain, for what it does not tell.
    """

    uuid: str
    utilization: float | None
    power: float | None
    power_limit: float | None
    energy: float | None
    memory: int
    used: int
    temperature: float | None = None
    clocks: Mapping[str, float] = field(default_factory=dict)
    throttle_reasons: int | None = None


def gpus() -> tuple[Gpu, ...] | None:
    """Every GPU the driver shows; empty without driver, None when nvidia-ml-py is missing, and so
    nothing can be said."""
    try:
        with _library() as nvml:
            return tuple(_gpu(nvml, handle) for handle in _handles(nvml))
    except MissingError:
        return None


def gpu_at(bus_id: str) -> Gpu | None:
    """The GPU at a PCI address such as `0000:1b:00.0`, as CUDA names the one it computes on; None
    where it cannot be asked."""
    try:
        with _library() as nvml:
            if nvml is None:
                return None
            try:
                return _gpu(nvml, nvml.nvmlDeviceGetHandleByPciBusId(bus_id))
            except nvml.NVMLError:
                return None
    except MissingError:
        return None


def gpu_states() -> tuple[GpuState, ...]:
    """The state of each of `gpus()`; empty where they cannot be asked."""
    try:
        with _library() as nvml:
            return tuple(_state(nvml, handle) for handle in _handles(nvml))
    except MissingError:
        return ()


def gpu_energies() -> tuple[float | None, ...]:
    """Joules that each of `gpus()` has taken since its driver was loaded; None for one that does
    not count."""
    try:
        with _library() as nvml:
            return tuple(_energy(nvml, handle) for handle in _handles(nvml))
    except MissingError:
        return ()


def gpu_readings() -> tuple[GpuReading, ...]:
    """A reading of each GPU; empty where they cannot be asked."""
    try:
        with _library() as nvml:
            return tuple(_reading(nvml, handle) for handle in _handles(nvml))
    except MissingError:
        return ()


@contextmanager
def _library() -> Iterator[Any]:
    """NVML opened, or None without a driver; MissingError when the package is not installed."""
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError as error:
        raise MissingError("nvidia-ml-py is not installed; pip install 'stride[gpu]'") from error
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        yield None
        return
    try:
        yield nvml
    finally:
        nvml.nvmlShutdown()


def _handles(nvml: Any) -> list[Any]:
    if nvml is None:
        return []
    return [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]


def _gpu(nvml: Any, handle: Any) -> Gpu:
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    return Gpu(
        name=str(nvml.nvmlDeviceGetName(handle)),
        driver=str(nvml.nvmlSystemGetDriverVersion()),
        memory=int(nvml.nvmlDeviceGetMemoryInfo(handle).total),
        capability=f"{major}.{minor}",
        mig=bool(_told(nvml, lambda: nvml.nvmlDeviceGetMigMode(handle)[0])),
    )


def _state(nvml: Any, handle: Any) -> GpuState:
    power = _told(nvml, lambda: nvml.nvmlDeviceGetPowerUsage(handle))
    used = _told(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used)
    return GpuState(
        clock=_clock(nvml, handle, nvml.NVML_CLOCK_SM),
        throttle_reasons=_throttle_reasons(nvml, handle),
        power=None if power is None else power / _MILLIWATTS_PER_WATT,
        memory_used=None if used is None else int(used),
    )


def _reading(nvml: Any, handle: Any) -> GpuReading:
    percent = _told(nvml, lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    power = _told(nvml, lambda: nvml.nvmlDeviceGetPowerUsage(handle))
    limit = _told(nvml, lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle))
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    return GpuReading(
        uuid=str(nvml.nvmlDeviceGetUUID(handle)),
        utilization=None if percent is None else percent / 100,
        power=None if power is None else power / _MILLIWATTS_PER_WATT,
        power_limit=None if limit is None else limit / _MILLIWATTS_PER_WATT,
        energy=_energy(nvml, handle),
        memory=int(memory.total),
        used=int(memory.used),
        temperature=_told(
            nvml, lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)
        ),
        clocks=dict(_clocks(nvml, handle)),
        throttle_reasons=_throttle_reasons(nvml, handle),
    )


def _clocks(nvml: Any, handle: Any) -> Iterator[tuple[str, float]]:
    domains = {"sm": nvml.NVML_CLOCK_SM, "memory": nvml.NVML_CLOCK_MEM}
    for name, domain in domains.items():
        clock = _clock(nvml, handle, domain)
        if clock is not None:
            yield name, clock


def _clock(nvml: Any, handle: Any, domain: int) -> float | None:
    """Hertz."""
    megahertz = _told(nvml, lambda: nvml.nvmlDeviceGetClockInfo(handle, domain))
    return None if megahertz is None else float(megahertz * _HERTZ_PER_MEGAHERTZ)


def _throttle_reasons(nvml: Any, handle: Any) -> int | None:
    reasons = _told(nvml, lambda: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))
    return None if reasons is None else int(reasons)


def _energy(nvml: Any, handle: Any) -> float | None:
    millijoules = _told(nvml, lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
    return None if millijoules is None else millijoules / _MILLIJOULES_PER_JOULE


def _told(nvml: Any, question: Callable[[], float]) -> float | None:
    """The answer, or None from a GPU that refuses this question."""
    try:
        return question()
    except nvml.NVMLError:
        return None
