"""A double of `cuda.bindings.runtime`, for machines without a GPU. It is no CUDA: its device memory
is ordinary memory, and streams only keep order. It knows the documented signatures of the calls
that are used here, refuses all others, runs nothing before a stream is synchronized, and stops at
copies beyond what was allocated.
"""

# ruff: noqa: N802, N803, N815  (the names are CUDA's)

import ctypes
import itertools
from collections.abc import Callable
from enum import IntEnum
from types import ModuleType
from typing import Any

Work = Callable[[], None]


class Error(IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorNoDevice = 100
    cudaErrorIllegalAddress = 700
    cudaErrorStreamCaptureInvalidated = 901


class CopyKind(IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class CaptureMode(IntEnum):
    cudaStreamCaptureModeGlobal = 0
    cudaStreamCaptureModeThreadLocal = 1
    cudaStreamCaptureModeRelaxed = 2


class Handle:
    """A stream, a graph or an executable graph: opaque, and a number where one is asked for."""

    _numbers = itertools.count(1000)

    def __init__(self) -> None:
        self.number = next(self._numbers)
        self.work: list[Work] = []
        self.capturing: list[Work] | None = None

    def __int__(self) -> int:
        return self.number


class CudaDouble(ModuleType):
    """`calls` has the name of every call in order; `failing` maps a name to the error it gives;
    `left()` says what was not freed."""

    cudaError_t = Error
    cudaMemcpyKind = CopyKind
    cudaStreamCaptureMode = CaptureMode
    cudaStreamNonBlocking = 1

    def __init__(self) -> None:
        super().__init__("cuda.bindings.runtime")
        self.calls: list[str] = []
        self.failing: dict[str, Error] = {}
        self.devices = 1
        self.memory: dict[int, tuple[str, Any]] = {}
        self.handles: dict[int, Handle] = {}

    def left(self) -> list[str]:
        kinds = [kind for kind, _ in self.memory.values()]
        return kinds + [type(handle).__name__ for handle in self.handles.values()]

    def enqueue(self, stream: int, work: Work) -> None:
        handle = self.handles[stream]
        (handle.work if handle.capturing is None else handle.capturing).append(work)

    def is_capturing(self, stream: int) -> bool:
        return self.handles[stream].capturing is not None

    def at(self, address: int, size: int) -> Any:
        """Memory that lies wholly inside one allocation; an IndexError otherwise."""
        for start, (_, block) in self.memory.items():
            if start <= address and address + size <= start + len(block):
                return (ctypes.c_uint8 * size).from_address(address)
        raise IndexError(f"{size} bytes at {address} are not all allocated")

    def cudaGetDeviceCount(self) -> tuple[Error, int | None]:
        if not self.devices:
            return Error.cudaErrorNoDevice, None
        return self._called("cudaGetDeviceCount"), self.devices

    def cudaSetDevice(self, device: int) -> tuple[Error]:
        assert device < self.devices
        return (self._called("cudaSetDevice"),)

    def cudaDeviceGetPCIBusId(self, length: int, device: int) -> tuple[Error, bytes]:
        assert length >= 13
        assert device < self.devices
        return self._called("cudaDeviceGetPCIBusId"), b"0000:1B:00.0".ljust(length, b"\0")

    def cudaGetErrorName(self, error: Error) -> tuple[Error, bytes]:
        return Error.cudaSuccess, error.name.encode()

    def cudaGetErrorString(self, error: Error) -> tuple[Error, bytes]:
        return Error.cudaSuccess, b"text of " + error.name.encode()

    def cudaMalloc(self, size: int) -> tuple[Error, int | None]:
        return self._allocate("cudaMalloc", size)

    def cudaMallocHost(self, size: int) -> tuple[Error, int | None]:
        return self._allocate("cudaMallocHost", size)

    def cudaFree(self, devPtr: int) -> tuple[Error]:
        return (self._free("cudaFree", "cudaMalloc", devPtr),)

    def cudaFreeHost(self, ptr: int) -> tuple[Error]:
        return (self._free("cudaFreeHost", "cudaMallocHost", ptr),)

    def cudaMemcpyAsync(
        self, dst: int, src: int, count: int, kind: CopyKind, stream: Handle
    ) -> tuple[Error]:
        towards = kind is CopyKind.cudaMemcpyHostToDevice
        self._expect(dst, "cudaMalloc" if towards else "cudaMallocHost")
        self._expect(src, "cudaMallocHost" if towards else "cudaMalloc")
        to, source = self.at(dst, count), self.at(src, count)
        self.enqueue(int(stream), lambda: _copy(to, source, count))
        return (self._called("cudaMemcpyAsync"),)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Error, Handle | None]:
        assert flags in (0, self.cudaStreamNonBlocking)
        error = self._called("cudaStreamCreateWithFlags")
        return error, None if error else self._handle()

    def cudaStreamSynchronize(self, stream: Handle) -> tuple[Error]:
        assert stream.capturing is None, "a stream that captures cannot be waited for"
        work, stream.work = stream.work, []
        for step in work:
            step()
        return (self._called("cudaStreamSynchronize"),)

    def cudaStreamDestroy(self, stream: Handle) -> tuple[Error]:
        return (self._destroy("cudaStreamDestroy", stream),)

    def cudaStreamBeginCapture(self, stream: Handle, mode: CaptureMode) -> tuple[Error]:
        assert isinstance(mode, CaptureMode)
        assert stream.capturing is None
        stream.capturing = []
        return (self._called("cudaStreamBeginCapture"),)

    def cudaStreamEndCapture(self, stream: Handle) -> tuple[Error, Handle | None]:
        assert stream.capturing is not None
        error = self._called("cudaStreamEndCapture")
        work, stream.capturing = stream.capturing, None
        return error, None if error else self._handle(work)

    def cudaGraphInstantiate(self, graph: Handle, flags: int) -> tuple[Error, Handle | None]:
        assert flags == 0
        error = self._called("cudaGraphInstantiate")
        return error, None if error else self._handle(graph.work)

    def cudaGraphLaunch(self, graphExec: Handle, stream: Handle) -> tuple[Error]:
        assert int(graphExec) in self.handles
        for step in graphExec.work:
            self.enqueue(int(stream), step)
        return (self._called("cudaGraphLaunch"),)

    def cudaGraphDestroy(self, graph: Handle) -> tuple[Error]:
        return (self._destroy("cudaGraphDestroy", graph),)

    def cudaGraphExecDestroy(self, graphExec: Handle) -> tuple[Error]:
        return (self._destroy("cudaGraphExecDestroy", graphExec),)

    def _called(self, name: str) -> Error:
        self.calls.append(name)
        return self.failing.get(name, Error.cudaSuccess)

    def _handle(self, work: list[Work] | None = None) -> Handle:
        handle = Handle()
        handle.work = work or []
        self.handles[int(handle)] = handle
        return handle

    def _destroy(self, name: str, handle: Handle) -> Error:
        del self.handles[int(handle)]
        return self._called(name)

    def _allocate(self, name: str, size: int) -> tuple[Error, int | None]:
        assert size > 0
        if error := self._called(name):
            return error, None
        block = (ctypes.c_uint8 * size)()
        self.memory[ctypes.addressof(block)] = (name, block)
        return Error.cudaSuccess, ctypes.addressof(block)

    def _free(self, name: str, made_by: str, address: int) -> Error:
        kind, _ = self.memory.pop(address)
        assert kind == made_by
        return self._called(name)

    def _expect(self, address: int, made_by: str) -> None:
        kinds = [
            kind
            for start, (kind, block) in self.memory.items()
            if start <= address < start + len(block)
        ]
        assert kinds == [made_by], f"{address} is {kinds}, expected memory of {made_by}"


def _copy(to: Any, source: Any, count: int) -> None:
    ctypes.memmove(to, source, count)
