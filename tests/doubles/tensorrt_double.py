"""A double of the `tensorrt` module, for machines without a GPU. It is no TensorRT: its plans are
ONNX files with a heading, run by ONNX Runtime. It knows the documented members and signatures of
10.16 and of 11.4, refuses everything else, and holds its caller to the documented order of calls.
"""

import json
from enum import IntEnum
from typing import Any

import onnx

from tests.doubles.cuda_double import CudaDouble
from tests.doubles.tensorrt_api import ENUMS
from tests.doubles.tensorrt_documented import (
    Documented,
    IHostMemory,
    ILogger,
    Severity,
    TensorRTDouble,
    required,
    shape_of,
)
from tests.doubles.tensorrt_runtime_double import Runtime


def tensorrt_double(major: int, cuda: CudaDouble) -> TensorRTDouble:
    """The module `tensorrt` as version 10.16 or 11.4 has it."""
    kinds = (Builder, OnnxParser, Runtime)
    return TensorRTDouble(major, cuda, {kind.__name__: kind for kind in kinds})


class Builder(Documented):
    def __init__(self, trt: TensorRTDouble, logger: ILogger) -> None:
        super().__init__(trt, _log=required(trt, logger))

    def create_network(self, flags: int = 0) -> "INetworkDefinition":
        self._called("create_network", flags)
        assert not flags >> len(ENUMS["NetworkDefinitionCreationFlag"][self._trt.major])
        return INetworkDefinition(self._trt, _flags=flags, _model=None)

    def create_builder_config(self) -> "IBuilderConfig":
        flags = {self._trt.BuilderFlag.TF32}  # on by default
        return IBuilderConfig(self._trt, _flags=flags, _profiles=[], _cache=None, _level=0)

    def create_optimization_profile(self) -> "IOptimizationProfile":
        return IOptimizationProfile(self._trt, _shapes={})

    def build_serialized_network(
        self, network: "INetworkDefinition", config: "IBuilderConfig"
    ) -> IHostMemory | None:
        self._called("build_serialized_network")
        self._log.log(Severity.VERBOSE, "a tactic was tried")
        self._log.log(Severity.INFO, "the engine was generated")
        if self._trt.build_fails or not config._profiles:
            self._log.log(Severity.ERROR, "no implementation was found")
            return None
        config._cache._entries.add("timings of this build")
        strong = ENUMS["NetworkDefinitionCreationFlag"][self._trt.major]["STRONGLY_TYPED"]
        heading = {
            "version": self._trt.__version__,
            "flags": sorted(flag.name for flag in config._flags),
            "hardware": int(config.__dict__.get("hardware_compatibility_level", 0)),
            "strong": self._trt.major == 11 or bool(network._flags >> strong & 1),
            "profile": config._profiles[0]._shapes["pixels"],
        }
        return IHostMemory(json.dumps(heading).encode() + b"\n" + network._model)


class INetworkDefinition(Documented):
    def get_input(self, index: int) -> "ITensor":
        port = onnx.load_from_string(self._model).graph.input[index]
        return ITensor(self._trt, name=port.name, shape=shape_of(port))


class ITensor(Documented):
    pass


class OnnxParser(Documented):
    def __init__(self, trt: TensorRTDouble, network: INetworkDefinition, logger: ILogger) -> None:
        super().__init__(trt, _network=network, _errors=[], _log=required(trt, logger))

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> "ParserError":
        return ParserError(self._trt, _error=self._errors[index])

    def parse(self, model: bytes, path: str | None = None) -> bool:
        self._called("parse", path)
        graph = onnx.load_from_string(model).graph
        for index, node in enumerate(graph.node):
            if node.op_type != "Cast" and set(node.input) & {port.name for port in graph.input}:
                told = "uint8 has to be cast before any other layer uses it"
                self._errors.append((index, node.op_type, told))
        object.__setattr__(self._network, "_model", bytes(model))
        return not self._errors


class ParserError(Documented):
    def node(self) -> int:
        return int(self._error[0])

    def node_operator(self) -> str:
        return str(self._error[1])

    def desc(self) -> str:
        return str(self._error[2])


class IOptimizationProfile(Documented):
    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:  # noqa: A002
        self._called("set_shape", input, min, opt, max)
        if not len(min) == len(opt) == len(max):
            raise ValueError("shapes of different lengths")
        self._shapes[input] = (min, opt, max)


class IBuilderConfig(Documented):
    def set_flag(self, flag: IntEnum) -> None:
        self._called("set_flag", flag.name)
        self._flags.add(flag)

    def clear_flag(self, flag: IntEnum) -> None:
        self._called("clear_flag", flag.name)
        self._flags.discard(flag)

    def set_memory_pool_limit(self, pool: IntEnum, pool_size: int) -> None:
        self._called("set_memory_pool_limit", pool.name, pool_size)

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        self._called("add_optimization_profile")
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def create_timing_cache(self, serialized_timing_cache: bytes) -> "ITimingCache | None":
        self._called("create_timing_cache", bytes(serialized_timing_cache))
        if not serialized_timing_cache:
            return ITimingCache(self._trt, _version=self._trt.__version__, _entries=set())
        try:
            version, entries = json.loads(serialized_timing_cache)
        except ValueError:
            return None
        return ITimingCache(self._trt, _version=version, _entries=set(entries))

    def set_timing_cache(self, cache: "ITimingCache", ignore_mismatch: bool) -> bool:
        self._called("set_timing_cache", ignore_mismatch)
        object.__setattr__(self, "_cache", cache)
        return bool(ignore_mismatch or cache._version == self._trt.__version__)


class ITimingCache(Documented):
    def serialize(self) -> IHostMemory:
        return IHostMemory(json.dumps([self._version, sorted(self._entries)]).encode())
