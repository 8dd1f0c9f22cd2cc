"""Decodes and resizes in a bounded pool of threads, off the event loop."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from math import inf
from typing import TypeVar

import numpy as np

from inference.decode import decode, read_picture
from inference.engine import Pixels
from inference.preprocess import preprocess
from inference.resample import resample, shortest_side
from measuring.cores import available_cores
from measuring.errors import InputError
from measuring.input_spec import InputSpec
from service.decode_forecast import DecodeForecast, Picture
from service.errors import DeadlineError, RefusedError
from service.seam import Priority
from service.workers import Workers

T = TypeVar("T")
Room = Callable[[tuple[int, ...]], Pixels]
"""Pixels of this shape, to be written to."""


@dataclass(frozen=True)
class Prepared:
    """One picture for every input spec asked for, with what each step took in seconds, and when
    the first began."""

    pixels: dict[InputSpec, Pixels]  # (size, size, 3) each
    decode: float
    resize: dict[InputSpec, float]
    started: float = 0.0

    def resizing(self, spec: InputSpec) -> float:
        """When it was resized for this one; one is done after the other."""
        before = takewhile(lambda done: done != spec, self.resize)
        return self.started + self.decode + sum(self.resize[done] for done in before)


@dataclass(frozen=True)
class PreparedMany:
    """Several pictures for one input spec; seconds are the sums over all of them. When the first
    was begun and the last one done."""

    pixels: Pixels  # (N, size, size, 3)
    decode: float
    resize: float
    started: float = 0.0
    ended: float = 0.0


class Decoder:
    """The pool; as many threads as cores, since both steps are pure computation without the
    interpreter's lock. `exact`: bit for bit what the weights were evaluated with, for more time.
    `room`: where pixels are put, called in threads, too; None: wherever.

    A deadline is a reading of `time.perf_counter`. What could not be decoded by then is refused at
    once with RefusedError, and what has missed it when its turn comes ends in DeadlineError.
    """

    def __init__(
        self,
        *,
        threads: int | None,
        max_pixels: int,
        exact: bool = False,
        room: Room | None = None,
    ) -> None:
        self._max_pixels = max_pixels
        self._exact = exact
        self._room = room
        threads = threads or available_cores()
        self.forecast = DecodeForecast(threads)
        self._workers = Workers(threads, "decode")

    async def prepare(
        self,
        data: bytes,
        specs: Iterable[InputSpec],
        *,
        deadline: float = inf,
        priority: Priority = Priority.NORMAL,
    ) -> Prepared:
        """Raises what `inference.decode.decode` raises for bytes that are no image, and
        DeadlineError when the deadline passes."""
        self._admit((data,), deadline, priority)
        wanted = tuple(dict.fromkeys(specs))
        picture = self.forecast.queue(data, priority)
        compute = partial(self._prepare, data, wanted)
        future = self._workers.submit(partial(self._run, compute, picture, deadline), priority)
        timer = None
        if deadline < inf:
            left = max(0.0, deadline - time.perf_counter())
            timer = future.get_loop().call_later(left, _expire, future, picture)
        try:
            return await future
        finally:
            if timer is not None:
                timer.cancel()
            if picture.queued:
                self.forecast.withdraw(picture)
            del future  # whose error leads to this frame, which has the picture

    async def prepare_many(
        self,
        images: Sequence[bytes],
        spec: InputSpec,
        *,
        deadline: float = inf,
        priority: Priority = Priority.NORMAL,
    ) -> PreparedMany:
        """The pictures side by side, each written to its place in one array.

        Raises what `prepare` raises, for the first picture that cannot be read and saying which.
        """
        self._admit(images, deadline, priority)
        shape = (len(images), spec.size, spec.size, 3)
        pixels = np.empty(shape, np.uint8) if self._room is None else self._room(shape)
        calls = [
            self._submit(partial(self._place, data, place, spec), data, deadline, priority)
            for data, place in zip(images, pixels, strict=True)
        ]
        seconds = await asyncio.gather(*calls, return_exceptions=True)
        decoding = resizing = ended = 0.0
        began = inf
        for index, taken in enumerate(seconds):
            if isinstance(taken, InputError):
                raise type(taken)(f"image {index + 1} of {len(images)}: {taken}") from taken
            if isinstance(taken, BaseException):
                try:
                    raise taken
                finally:
                    del taken, seconds, calls  # which lead to this frame and back
            decoding, resizing = decoding + taken[1], resizing + taken[2]
            began, ended = min(began, taken[0]), max(ended, sum(taken))
        return PreparedMany(pixels, decoding, resizing, began, ended)

    def close(self) -> None:
        """Start nothing more; what a thread is in the middle of, it finishes by itself."""
        self._workers.close()

    def _admit(self, images: Sequence[bytes], deadline: float, priority: Priority) -> None:
        needed = self.forecast.seconds_to_decode(images, priority)
        left = deadline - time.perf_counter()
        if needed > max(left, 0.0):
            raise RefusedError(
                f"the deadline is out of reach: {self.forecast.waiting} images wait to be decoded, "
                f"decoding would take about {needed:.3f} seconds and {max(left, 0):.3f} are left; "
                "come again after Retry-After",
                retry_after=needed - left,
            )

    def _submit(
        self, compute: Callable[[], T], data: bytes, deadline: float, priority: Priority
    ) -> "asyncio.Future[T]":
        picture = self.forecast.queue(data, priority)
        run = partial(self._run, compute, picture, deadline)
        future = self._workers.submit(run, priority)
        future.add_done_callback(lambda _: self.forecast.withdraw(picture))
        return future

    def _run(self, compute: Callable[[], T], picture: Picture, deadline: float) -> T:
        """In a thread."""
        if time.perf_counter() >= deadline:
            raise DeadlineError("the deadline passed before the image was decoded")
        self.forecast.start(picture)
        whole = False
        try:
            result = compute()
            whole = True
        finally:
            self.forecast.end(picture, whole=whole)
        return result

    def _prepare(self, data: bytes, specs: tuple[InputSpec, ...]) -> Prepared:
        began = time.perf_counter()
        resize = self._decode(data, specs)
        decoded = time.perf_counter() - began
        pixels: dict[InputSpec, Pixels] = {}
        seconds: dict[InputSpec, float] = {}
        for spec in specs:
            started = time.perf_counter()
            pixels[spec] = self._kept(resize(spec))
            seconds[spec] = time.perf_counter() - started
        return Prepared(pixels, decoded, seconds, began)

    def _kept(self, pixels: Pixels) -> Pixels:
        if self._room is None:
            return pixels
        place = self._room(pixels.shape)
        place[...] = pixels
        return place

    def _place(self, data: bytes, place: Pixels, spec: InputSpec) -> tuple[float, float, float]:
        """When it began, and the seconds of decoding and of resizing."""
        started = time.perf_counter()
        resize = self._decode(data, (spec,))
        decoded = time.perf_counter()
        place[...] = resize(spec)
        return started, decoded - started, time.perf_counter() - decoded

    def _decode(self, data: bytes, specs: tuple[InputSpec, ...]) -> Callable[[InputSpec], Pixels]:
        """What then resizes the decoded picture."""
        if self._exact:
            return partial(preprocess, decode(data, max_pixels=self._max_pixels))
        shortest = shortest_side(specs)
        return partial(resample, read_picture(data, max_pixels=self._max_pixels, shortest=shortest))


def _expire(future: "asyncio.Future[Prepared]", picture: Picture) -> None:
    if not future.done():
        when = "before" if picture.queued else "while"
        future.set_exception(DeadlineError(f"the deadline passed {when} the image was decoded"))
