"""The GPU that computes, its memory and one stream, through NVIDIA's bindings of the CUDA runtime.

The first device that CUDA shows to this process; CUDA_VISIBLE_DEVICES chooses another.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from cuda.bindings import runtime as cudart
from numpy.typing import DTypeLike, NDArray

from inference.errors import DeviceError, RuntimeMissingError
from measuring.gpu import Gpu, gpu_at

_DEVICE = 0
_BUS_ID_LENGTH = 32


def current_gpu() -> Gpu:
    """Raises RuntimeMissingError where there is no GPU or nvidia-ml-py cannot tell which."""
    error, count = cudart.cudaGetDeviceCount()
    if error != cudart.cudaError_t.cudaSuccess or not count:
        raise RuntimeMissingError(
            f"no NVIDIA GPU can be used here: {_told(error)}; expected a GPU and its driver; run "
            "this on a machine that has one, or choose another --runtime"
        )
    bus = checked(cudart.cudaDeviceGetPCIBusId(_BUS_ID_LENGTH, _DEVICE))
    gpu = gpu_at(bus.partition(b"\0")[0].decode())
    if gpu is None:
        raise RuntimeMissingError(
            'the GPU cannot be asked for its name and driver; pip install "stride[gpu]"'
        )
    return gpu


def checked(result: tuple[Any, ...]) -> Any:
    """The value of a CUDA call without its error code. Raises DeviceError naming the error."""
    error, *values = result
    if error != cudart.cudaError_t.cudaSuccess:
        raise DeviceError(f"the GPU failed: {_told(error)}; its log is in `nvidia-smi` and dmesg")
    return values[0] if values else None


class Stream:
    """Work in order on the GPU, and the memory it uses; `close` frees all of it."""

    def __init__(self) -> None:
        self._device_memory: list[int] = []
        self._host_memory: list[int] = []
        self._graphs: list[Any] = []
        checked(cudart.cudaSetDevice(_DEVICE))
        self.handle: Any = checked(cudart.cudaStreamCreateWithFlags(cudart.cudaStreamNonBlocking))

    def device_memory(self, size: int) -> int:
        """Address of `size` bytes on the GPU."""
        address = int(checked(cudart.cudaMalloc(max(size, 1))))
        self._device_memory.append(address)
        return address

    def host_memory(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array in page-locked memory, which the GPU reads and writes by itself. It must not
        be touched after `close`."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        address = int(checked(cudart.cudaMallocHost(size)))
        self._host_memory.append(address)
        memory = memoryview((ctypes.c_uint8 * size).from_address(address))
        return np.ndarray(shape, dtype, buffer=memory)

    def to_device(self, address: int, array: NDArray[Any]) -> None:
        """Enqueue the copy of a page-locked array."""
        kind = cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._copy(address, array.ctypes.data, array.nbytes, kind)

    def to_host(self, array: NDArray[Any], address: int) -> None:
        """Enqueue the copy into a page-locked array."""
        kind = cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._copy(array.ctypes.data, address, array.nbytes, kind)

    def capture(self, work: Callable[[], None]) -> Any:
        """What `work` enqueues, as a graph that `launch` repeats; nothing of it runs now."""
        # Other threads may allocate in the meantime without breaking the capture.
        mode = cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        checked(cudart.cudaStreamBeginCapture(self.handle, mode))
        try:
            work()
        except BaseException:
            # The stream is of no use before its capture has ended; the first error counts.
            cudart.cudaStreamEndCapture(self.handle)
            raise
        graph = checked(cudart.cudaStreamEndCapture(self.handle))
        try:
            executable = checked(cudart.cudaGraphInstantiate(graph, 0))
        finally:
            cudart.cudaGraphDestroy(graph)
        self._graphs.append(executable)
        return executable

    def launch(self, graph: Any) -> None:
        """Enqueue a graph."""
        checked(cudart.cudaGraphLaunch(graph, self.handle))

    def synchronize(self) -> None:
        """Wait for all that is enqueued. Raises DeviceError for what failed on the way."""
        checked(cudart.cudaStreamSynchronize(self.handle))

    def destroy_graphs(self) -> None:
        """When all work is done, before what they were captured from goes."""
        cudart.cudaStreamSynchronize(self.handle)
        for graph in self._graphs:
            cudart.cudaGraphExecDestroy(graph)
        self._graphs = []

    def close(self) -> None:
        """Free everything, whatever fails on the way; may be called twice."""
        if self.handle is None:
            return
        self.destroy_graphs()
        for address in self._device_memory:
            cudart.cudaFree(address)
        for address in self._host_memory:
            cudart.cudaFreeHost(address)
        cudart.cudaStreamDestroy(self.handle)
        self._device_memory, self._host_memory = [], []
        self.handle = None

    def _copy(self, to: int, source: int, size: int, kind: Any) -> None:
        checked(cudart.cudaMemcpyAsync(to, source, size, kind, self.handle))


def _told(error: Any) -> str:
    _, name = cudart.cudaGetErrorName(error)
    _, text = cudart.cudaGetErrorString(error)
    return f"{name.decode()} ({text.decode()})"
