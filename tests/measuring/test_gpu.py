import importlib.util
import sys
from types import SimpleNamespace

import pytest

from measuring.gpu import Gpu, GpuReading, gpu_at, gpu_readings, gpu_states, gpus

INSTALLED = importlib.util.find_spec("pynvml") is not None


@pytest.mark.skipif(INSTALLED, reason="nvidia-ml-py is installed, so GPUs can be asked")
def test_gpus_without_the_package_are_unknown() -> None:
    assert gpus() is None
    assert gpu_states() == ()
    assert gpu_at("0000:1b:00.0") is None


@pytest.mark.skipif(not INSTALLED, reason="needs nvidia-ml-py")
def test_gpus_with_the_package_are_told_even_when_there_are_none() -> None:
    found = gpus()
    assert found is not None
    assert len(gpu_states()) == len(found)


@pytest.mark.gpu
@pytest.mark.skipif(not gpus(), reason="needs an NVIDIA GPU and nvidia-ml-py")
def test_gpus_that_are_there_have_facts_in_bytes_and_hertz() -> None:
    found = gpus()
    assert found
    assert all(gpu.memory > 1 << 30 and gpu.driver and gpu.capability for gpu in found)
    for gpu, state in zip(found, gpu_states(), strict=True):
        assert state.clock is None or 1e8 <= state.clock <= 1e10
        assert state.memory_used is None or 0 <= state.memory_used <= gpu.memory
    for reading in gpu_readings():
        assert set(reading.clocks) <= {"sm", "memory"}
        assert all(1e8 <= hertz <= 2e10 for hertz in reading.clocks.values())
        assert reading.temperature is None or 0 < reading.temperature < 120
        assert reading.throttle_reasons is None or reading.throttle_reasons >= 0


def test_gpu_at_is_the_one_that_sits_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a fake of NVML, since a real one needs a driver."""
    nvml = SimpleNamespace(
        NVMLError=OSError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetHandleByPciBusId={"0000:1B:00.0": "second"}.__getitem__,
        nvmlDeviceGetCudaComputeCapability={"second": (9, 0)}.get,
        nvmlDeviceGetName=lambda handle: f"the {handle}",
        nvmlSystemGetDriverVersion=lambda: "580.65.06",
        nvmlDeviceGetMemoryInfo={"second": SimpleNamespace(total=1 << 34)}.get,
        nvmlDeviceGetMigMode={"second": (1, 0)}.get,
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)

    assert gpu_at("0000:1B:00.0") == Gpu("the second", "580.65.06", 1 << 34, "9.0", mig=True)
    nvml.NVMLError = KeyError
    assert gpu_at("0000:2B:00.0") is None


def test_gpu_readings_are_in_watts_joules_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a fake of NVML, since a real one needs a driver."""

    def refuse(_: object) -> int:
        raise OSError("this GPU does not tell")

    nvml = SimpleNamespace(
        NVMLError=OSError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetUUID=lambda _: "GPU-1",
        nvmlDeviceGetUtilizationRates=lambda _: SimpleNamespace(gpu=25),
        nvmlDeviceGetPowerUsage=lambda _: 123_456,
        nvmlDeviceGetEnforcedPowerLimit=refuse,
        nvmlDeviceGetTotalEnergyConsumption=lambda _: 5_000,
        nvmlDeviceGetMemoryInfo=lambda _: SimpleNamespace(total=1 << 34, used=1 << 30),
        NVML_TEMPERATURE_GPU=0,
        NVML_CLOCK_SM=1,
        NVML_CLOCK_MEM=2,
        nvmlDeviceGetTemperature=lambda _, sensor: {0: 41}[sensor],
        nvmlDeviceGetClockInfo=lambda _, domain: 1980 if domain == 1 else refuse(domain),
        nvmlDeviceGetCurrentClocksThrottleReasons=lambda _: 0x24,
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)

    told = GpuReading("GPU-1", 0.25, 123.456, None, 5.0, 1 << 34, 1 << 30, 41, {"sm": 1.98e9}, 0x24)
    assert gpu_readings() == (told,)
