"""Arrays in memory that another process sees: room is found here, and free again with the array."""

import mmap
import threading
import weakref
from bisect import insort
from collections import deque
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

GRAIN = 4096
"""Bytes of a page: whoever needs less shares none, so that all of it is free again at once."""


class Arena:
    """Used by one process alone, from any of its threads; the other one only reads and writes where
    it is told. The lowest free place is taken, so that no more memory is touched than was ever
    needed at once."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self.size = len(memory)
        self._start = np.frombuffer(memory, np.uint8).__array_interface__["data"][0]
        self._holes: list[tuple[int, int]] = [(0, self.size)]  # ascending, never adjacent
        self._lock = threading.Lock()
        # An array may go anywhere, in the middle of `array` too: only noted there.
        self._gone: deque[tuple[int, int]] = deque()

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any] | None:
        """Its values are whatever was there before; None where no room is left. The room is free
        again when the array and all that look into it are gone."""
        needed = max(1, prod(shape) * np.dtype(dtype).itemsize)
        block = self._take(-(-needed // GRAIN) * GRAIN)
        if block is None:
            return None
        array: NDArray[Any] = np.ndarray(shape, dtype, self._memory, block[0])
        weakref.finalize(array, self._gone.append, block).atexit = False
        return array

    def offset(self, array: NDArray[Any]) -> int | None:
        """Where it lies, as whole; None for one that lies elsewhere, or with gaps."""
        start = int(array.__array_interface__["data"][0]) - self._start
        inside = 0 <= start <= self.size - array.nbytes
        return start if inside and array.flags.c_contiguous else None

    @property
    def free(self) -> int:
        """Bytes, in holes of whatever size."""
        with self._lock:
            self._return()
            return sum(end - start for start, end in self._holes)

    def _take(self, size: int) -> tuple[int, int] | None:
        with self._lock:
            self._return()
            for index, (start, end) in enumerate(self._holes):
                if end - start > size:
                    self._holes[index] = (start + size, end)
                    return start, start + size
                if end - start == size:
                    return self._holes.pop(index)
        return None

    def _return(self) -> None:
        """Take back what is gone, and join it to the holes beside it."""
        if not self._gone:
            return
        while self._gone:
            insort(self._holes, self._gone.popleft())
        joined: list[tuple[int, int]] = []
        for start, end in self._holes:
            if joined and joined[-1][1] == start:
                joined[-1] = (joined[-1][0], end)
            else:
                joined.append((start, end))
        self._holes = joined
