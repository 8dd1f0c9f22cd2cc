"""The half of the TensorRT double that runs plans."""

import json
from enum import IntEnum
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]

from tests.doubles.tensorrt_documented import (
    Documented,
    ILogger,
    Severity,
    TensorRTDouble,
    required,
    shape_of,
)

WORKSPACE = 4096  # bytes that an execution context of this double wants


class Runtime(Documented):
    def __init__(self, trt: TensorRTDouble, logger: ILogger) -> None:
        super().__init__(trt, _log=required(trt, logger))

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> "ICudaEngine | None":
        self._called("deserialize_cuda_engine")
        first, _, model = bytes(serialized_engine).partition(b"\n")
        heading = json.loads(first) if first.startswith(b"{") else {"version": "", "flags": []}
        portable = "VERSION_COMPATIBLE" in heading["flags"]
        allowed = self.__dict__.get("engine_host_code_allowed", False)
        if heading["version"] != self._trt.__version__ and not (portable and allowed):
            self._log.log(Severity.ERROR, "the plan is of another version")
            return None
        return ICudaEngine(self._trt, _model=model, _profile=heading["profile"])


class ICudaEngine(Documented):
    num_io_tensors = 2
    device_memory_size_v2 = WORKSPACE

    def get_tensor_name(self, index: int) -> str:
        return str(self._ports()[index].name)

    def get_tensor_mode(self, name: str) -> IntEnum:
        modes: Any = self._trt.TensorIOMode
        return modes.INPUT if name == "pixels" else modes.OUTPUT  # type: ignore[no-any-return]

    def get_tensor_dtype(self, name: str) -> Any:
        types: Any = self._trt.DataType
        named: dict[int, Any] = {
            onnx.TensorProto.UINT8: types.UINT8,
            onnx.TensorProto.FLOAT: types.FLOAT,
        }
        return named.get(self._port(name).type.tensor_type.elem_type, types.HALF)

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return shape_of(self._port(name))

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[tuple[int, ...]]:
        assert (name, profile_index) == ("pixels", 0)
        return [tuple(shape) for shape in self._profile]

    def create_execution_context(self, strategy: IntEnum) -> "IExecutionContext | None":
        self._called("create_execution_context", strategy.name)
        if self._trt.no_context:
            return None
        session = ort.InferenceSession(self._model, providers=["CPUExecutionProvider"])
        state = {"memory": 0, "addresses": {}, "shape": (), "ran": False, "captured": False}
        return IExecutionContext(self._trt, _session=session, _state=state, _engine=self)

    def _ports(self) -> list[onnx.ValueInfoProto]:
        graph = onnx.load_from_string(self._model).graph
        return [*graph.input, *graph.output]

    def _port(self, name: str) -> onnx.ValueInfoProto:
        return next(port for port in self._ports() if port.name == name)


class IExecutionContext(Documented):
    """Runs one call before it lets itself be captured, and stays as it was from then on."""

    def set_device_memory(self, memory: int, size: int) -> None:
        self._change("set_device_memory")
        self._trt.cuda.at(memory, size)
        self._state["memory"] = size

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._change("set_input_shape", name, shape)
        smallest, _, largest = self._engine.get_tensor_profile_shape(name, 0)
        self._state["shape"] = shape
        return all(a <= b <= c for a, b, c in zip(smallest, shape, largest, strict=True))

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._change("set_tensor_address", name)
        self._state["addresses"][name] = memory
        return name in ("pixels", "logits")

    def execute_async_v3(self, stream_handle: int) -> bool:
        self._called("execute_async_v3")
        state, cuda = self._state, self._trt.cuda
        assert state["memory"] >= WORKSPACE, "the context has no workspace"
        if self._trt.enqueue_fails:
            return False
        if cuda.is_capturing(stream_handle):
            assert state["ran"], "one call has to come before the capture"
            state["captured"] = True
        state["ran"] = True
        cuda.enqueue(stream_handle, self._compute)
        return True

    def _compute(self) -> None:
        shape, addresses = self._state["shape"], self._state["addresses"]
        block = self._trt.cuda.at(addresses["pixels"], int(np.prod(shape)))
        pixels = np.frombuffer(block, np.uint8).reshape(shape)
        (logits,) = self._session.run(["logits"], {"pixels": pixels})
        self._trt.cuda.at(addresses["logits"], logits.nbytes)[:] = logits.tobytes()

    def _change(self, name: str, *arguments: Any) -> None:
        assert not self._state["captured"], "a captured context must stay as it was"
        self._called(name, *arguments)
