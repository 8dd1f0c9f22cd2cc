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

Block = tuple[int, int]
"""First byte, and the one behind the last."""


class Arena:
    """Used by one process alone, from any of its threads; the other one only reads and writes where
    it is told. Room that was used before is taken first, then the lowest, so that hardly more
    memory is touched than was ever needed at once."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self.size = len(memory)
        self._start = np.frombuffer(memory, np.uint8).__array_interface__["data"][0]
        self._holes: list[Block] = [(0, self.size)]  # ascending, never adjacent
        self._spare: dict[int, list[Block]] = {}  # by size: most are of one
        self._lock = threading.Lock()
        self._leases: dict[int, _Lease] = {}
        # An array may go anywhere, in the middle of `array` too: only noted there.
        self._gone: deque[_Lease] = deque()

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any] | None:
        """Its values are whatever was there before; None where no room is left. The room is free
        again when the array and all that look into it are gone."""
        placed = self.place(shape, np.dtype(dtype))
        return None if placed is None else placed[0]

    def place(
        self, shape: tuple[int, ...], dtype: "np.dtype[Any]"
    ) -> tuple[NDArray[Any], int] | None:
        """The same, and where it lies."""
        needed = prod(shape) * dtype.itemsize
        size = (max(1, needed) + GRAIN - 1) // GRAIN * GRAIN
        with self._lock:
            self._return()
            block = self._take(size)
            if block is None:
                return None
            array: NDArray[Any] = np.ndarray(shape, dtype, self._memory, block[0])
            lease = self._leases[block[0]] = _Lease(array, self._gone.append)
            lease.block = block
            return array, block[0]

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
            self._join()
            return sum(end - start for start, end in self._holes)

    def _return(self) -> None:
        """What is gone is to spare."""
        while self._gone:
            start, end = self._gone.popleft().block
            del self._leases[start]
            self._spare.setdefault(end - start, []).append((start, end))

    def _take(self, size: int) -> Block | None:
        if spare := self._spare.get(size):
            return spare.pop()
        block = self._cut(size)
        if block is None and any(self._spare.values()):
            self._join()
            block = self._cut(size)
        return block

    def _cut(self, size: int) -> Block | None:
        """Off the first hole that is large enough."""
        for index, (start, end) in enumerate(self._holes):
            if end - start > size:
                self._holes[index] = (start + size, end)
                return start, start + size
            if end - start == size:
                return self._holes.pop(index)
        return None

    def _join(self) -> None:
        """Make holes of what is to spare, together with those beside it."""
        for blocks in self._spare.values():
            for block in blocks:
                insort(self._holes, block)
        self._spare.clear()
        joined: list[Block] = []
        for start, end in self._holes:
            if joined and joined[-1][1] == start:
                joined[-1] = (joined[-1][0], end)
            else:
                joined.append((start, end))
        self._holes = joined


class _Lease(weakref.ref[NDArray[Any]]):
    """Looks after an array without keeping it; `block` is what it lies in."""

    __slots__ = ("block",)
    block: Block
