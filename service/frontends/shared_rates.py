"""Rates of API keys that hold for all front ends together: their buckets lie in shared memory."""

import fcntl
import hashlib
import mmap
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

from service.rate import Rate

PLACES = 4096
"""Keys with a rate that find room, with every pair of name and rate that SIGHUP ever brought."""
_PLACE = struct.Struct("<16s2d")
SIZE = PLACES * _PLACE.size
_FREE = bytes(16)


class SharedBuckets:
    """The table of all buckets. A lock of the system's guards it, which a process that is killed
    lets go of by itself; the little that is written under it is whole or old."""

    def __init__(self, descriptor: int) -> None:
        """Keeps the descriptor, for the lock."""
        self._descriptor = descriptor
        self._table = mmap.mmap(descriptor, 0)

    def bucket(self, name: str, rate: Rate) -> "SharedBucket":
        """That of this name and rate, full where nobody has asked for it before. The 4097th
        begins anew in the place of another, which then is full again, too."""
        mark = hashlib.blake2b(f"{name} {rate!r}".encode(), digest_size=16).digest()
        first = int.from_bytes(mark[:8], "little") % PLACES
        with self.locked():
            for step in range(PLACES):
                place = (first + step) % PLACES * _PLACE.size
                found = self._table[place : place + 16]
                if found in {mark, _FREE}:
                    break
            if found != mark:
                _PLACE.pack_into(self._table, place, mark, rate.burst, time.perf_counter())
        return SharedBucket(self, place, rate)

    def read(self, place: int) -> tuple[float, float]:
        """Tokens and since when, a reading of `time.perf_counter`; within `locked`."""
        _, tokens, at = _PLACE.unpack_from(self._table, place)
        return tokens, at

    def write(self, place: int, tokens: float, at: float) -> None:
        """Within `locked`."""
        struct.pack_into("<2d", self._table, place + 16, tokens, at)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """For a few microseconds."""
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)


class SharedBucket:
    """What `service.rate.Bucket` is, for all processes."""

    def __init__(self, buckets: SharedBuckets, place: int, rate: Rate) -> None:
        self.rate = rate
        self._buckets = buckets
        self._place = place

    def take(self) -> float:
        """0.0 if a token was there and is taken now, else seconds until there is one."""
        rate = self.rate
        with self._buckets.locked():
            tokens, at = self._buckets.read(self._place)
            now = time.perf_counter()
            tokens = min(rate.burst, tokens + (now - at) * rate.per_second)
            enough = tokens >= 1
            tokens -= enough
            self._buckets.write(self._place, tokens, now)
        return 0.0 if enough else (1 - tokens) / rate.per_second
