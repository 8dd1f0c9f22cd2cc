"""What the double of TensorRT is made of: the module, and classes that refuse whatever is not in
the documented API of their version."""

from enum import IntEnum
from types import ModuleType
from typing import Any

import onnx

from tests.doubles.cuda_double import CudaDouble
from tests.doubles.tensorrt_api import COMMON, ENUMS, ONLY_IN_10, ONLY_IN_11

VERSIONS = {10: "10.16.1.11", 11: "11.4.0.106"}
NO_FACTORY = "pybind11::init(): factory function returned nullptr"


class Severity(IntEnum):  # as ILogger.Severity
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class ILogger:
    """To be derived from; its own constructor has to be called."""

    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = Severity
    constructed = False

    def __init__(self) -> None:
        self.constructed = True

    def log(self, severity: Severity, msg: str) -> None:
        raise NotImplementedError


class IHostMemory(bytearray):
    """Memory with the buffer protocol, and `nbytes`."""

    @property
    def nbytes(self) -> int:
        return len(self)


class TensorRTDouble(ModuleType):
    """`calls` has every call in order, as (name, arguments); the attributes below it are what
    tests set to make it fail."""

    def __init__(self, major: int, cuda: CudaDouble, classes: dict[str, Any]) -> None:
        super().__init__("tensorrt")
        self._classes = classes
        self.__version__ = VERSIONS[major]
        self.major, self.cuda = major, cuda
        self.calls: list[tuple[Any, ...]] = []
        self.build_fails = self.enqueue_fails = self.no_context = False
        self.ILogger = ILogger
        for name, members in ENUMS.items():
            setattr(self, name, IntEnum(name, members[major]))

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("_classes", {}):
            return lambda *arguments, **named: self._classes[name](self, *arguments, **named)
        raise AttributeError(f"TensorRT {self.__dict__.get('__version__')} has no {name}")

    def names(self) -> list[str]:
        return [name for name, *_ in self.calls]


class Documented:
    """A class of the API: what it does not model is refused, and what does not exist, too."""

    def __init__(self, trt: TensorRTDouble, **values: Any) -> None:
        for name, value in {"_trt": trt, **values}.items():
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        self._require_documented(name)
        raise NotImplementedError(f"{type(self).__name__}.{name} exists; the double lacks it")

    def __setattr__(self, name: str, value: Any) -> None:
        self._require_documented(name)
        self._called(f"{type(self).__name__}.{name} =", value)
        object.__setattr__(self, name, value)

    def _require_documented(self, name: str) -> None:
        kind, major = type(self).__name__, self._trt.major
        own = ONLY_IN_10 if major == 10 else ONLY_IN_11
        if name not in f"{COMMON[kind]} {own.get(kind, '')}".split():
            raise AttributeError(f"TensorRT {VERSIONS[major]}: {kind} has no {name}")

    def _called(self, name: str, *arguments: Any) -> None:
        self._trt.calls.append((name, *arguments))


def required(trt: TensorRTDouble, logger: ILogger) -> ILogger:
    """The logger, if it is one; without a GPU the bindings get no object and say so this way."""
    if not isinstance(logger, ILogger) or not logger.constructed:
        raise TypeError("__init__(): incompatible constructor arguments")
    if not trt.cuda.devices:
        logger.log(Severity.ERROR, "CUDA initialization failure")
        raise TypeError(NO_FACTORY)
    return logger


def shape_of(port: onnx.ValueInfoProto) -> tuple[int, ...]:
    """-1 for a free dimension, as TensorRT has it."""
    dimensions = port.type.tensor_type.shape.dim
    return tuple(-1 if d.dim_param else d.dim_value for d in dimensions)
