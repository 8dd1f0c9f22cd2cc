"""Decodes and resizes in a bounded pool of threads, off the event loop."""

import asyncio
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from inference.decode import decode
from inference.engine import Pixels
from inference.preprocess import preprocess
from measuring.cores import available_cores
from measuring.input_spec import InputSpec


@dataclass(frozen=True)
class Prepared:
    """One picture for every input spec asked for, with what each step took in seconds."""

    pixels: dict[InputSpec, Pixels]  # (size, size, 3) each
    decode: float
    resize: dict[InputSpec, float]


class Decoder:
    """The pool; as many threads as cores, since both steps are pure computation."""

    def __init__(self, *, threads: int | None, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._pool = ThreadPoolExecutor(threads or available_cores(), thread_name_prefix="decode")

    async def prepare(self, data: bytes, specs: Iterable[InputSpec]) -> Prepared:
        """Raises what `inference.decode.decode` raises for bytes that are no image."""
        wanted = tuple(dict.fromkeys(specs))
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._prepare, data, wanted)

    def close(self) -> None:
        """Start nothing more; what a thread is in the middle of, it finishes by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _prepare(self, data: bytes, specs: tuple[InputSpec, ...]) -> Prepared:
        started = time.perf_counter()
        image = decode(data, max_pixels=self._max_pixels)
        decoded = time.perf_counter() - started
        pixels: dict[InputSpec, Pixels] = {}
        seconds: dict[InputSpec, float] = {}
        for spec in specs:
            started = time.perf_counter()
            pixels[spec] = preprocess(image, spec)
            seconds[spec] = time.perf_counter() - started
        return Prepared(pixels, decoded, seconds)
