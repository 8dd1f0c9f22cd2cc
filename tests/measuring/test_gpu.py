import importlib.util

import pytest

from measuring.gpu import gpu_states, gpus

INSTALLED = importlib.util.find_spec("pynvml") is not None


@pytest.mark.skipif(INSTALLED, reason="nvidia-ml-py is installed, so GPUs can be asked")
def test_gpus_without_the_package_are_unknown() -> None:
    assert gpus() is None
    assert gpu_states() == ()


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
