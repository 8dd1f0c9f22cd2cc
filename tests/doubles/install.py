"""Puts the doubles of TensorRT and CUDA where the code imports them, for one test."""

import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest

from measuring.gpu import Gpu
from tests.doubles.cuda_double import CudaDouble
from tests.doubles.tensorrt_documented import TensorRTDouble
from tests.doubles.tensorrt_double import tensorrt_double

GPU = Gpu("NVIDIA Test 100", driver="580.65.06", memory=1 << 34, capability="9.0", mig=False)
# What imports TensorRT or CUDA, and therefore has to be imported anew.
_IMPORTERS = ("inference.cuda_device", "inference.tensorrt_engine", "exporters.tensorrt_export")


@dataclass(frozen=True)
class Doubles:
    """The doubles, and the modules that were imported with them."""

    trt: TensorRTDouble
    cuda: CudaDouble

    @property
    def engine(self) -> Any:
        return import_module("inference.tensorrt_engine")

    @property
    def export(self) -> Any:
        return import_module("exporters.tensorrt_export")


def install_doubles(patch: pytest.MonkeyPatch, major: int) -> Doubles:
    """TensorRT of this major version and one GPU, until the test ends."""
    cuda = CudaDouble()
    trt = tensorrt_double(major, cuda)
    root, bindings = ModuleType("cuda"), ModuleType("cuda.bindings")
    vars(bindings)["runtime"] = cuda
    for module in (trt, cuda, root, bindings):
        module.__spec__ = ModuleSpec(module.__name__, None)  # others look for it
        patch.setitem(sys.modules, module.__name__, module)
    forget_importers(patch)
    patch.setattr("measuring.gpu.gpu_at", lambda bus: GPU if bus == "0000:1B:00.0" else None)
    return Doubles(trt, cuda)


def forget_importers(patch: pytest.MonkeyPatch) -> None:
    """They are imported anew by whoever asks next, and are as before after the test."""
    for name in _IMPORTERS:
        patch.setitem(sys.modules, name, ModuleType(name))
        del sys.modules[name]
