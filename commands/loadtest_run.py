"""Carries a load test out with a bar, keeps what is measured as it comes, and marks it in
Grafana."""

import secrets
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.bench_progress import Bar, bar
from commands.output import print_step
from measuring.errors import InputError, StrideError

if TYPE_CHECKING:
    from loadtest.annotation import Annotation
    from loadtest.plan import Step
    from loadtest.point import Point
    from loadtest.sweep import Result
    from measuring.record import Measurement

_TICK = 0.25  # seconds
_OFF = 1.5
_WORDS = 32
"""Characters beside the bar, which leave room for it in 80 columns."""


class Kept:
    """What was measured, also of a test that does not come to its end: on disk after each point."""

    def __init__(self, directory: Path) -> None:
        from loadtest.records import Run
        from measuring.machine import fingerprint

        name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"  # sorts by time
        self.run = Run(name, fingerprint())
        self.path = directory / f"{name}.jsonl"
        self.results: list[Result] = []
        self.records: list[Measurement] = []
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"--results {directory} cannot be written ({error.strerror}); choose another folder"
            ) from error

    @property
    def points(self) -> "list[Point]":
        """Without the searches."""
        from loadtest.point import Point

        return [it for it in self.results if isinstance(it, Point)]

    def add(self, result: "Result") -> None:
        """Kept at once."""
        from loadtest.point import Point
        from loadtest.records import goodput_record, load_record
        from measuring.record import now, write_measurements

        self.results.append(result)
        if isinstance(result, Point):
            record = load_record(result, self.run)
        else:
            record = goodput_record(result, self.run, now())
        if record is not None:
            self.records.append(record)
            try:
                write_measurements(self.path, self.records)
            except OSError as error:
                raise InputError(f"{self.path} cannot be written: {error.strerror}") from error


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM, which a pipeline that is cancelled sends, interrupts as Ctrl-C does; the second one
    at once. Where Ctrl-C is ignored, as in the background of a shell, it stays so."""
    from loadtest.interrupts import forget, interrupt

    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, interrupt)}
    if callable(signal.getsignal(signal.SIGINT)):
        before[signal.SIGINT] = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)
        forget()


def measure(plan: "Sequence[Step]", kept: Kept, *, invalid: bool) -> None:
    """All of it into `kept`; `invalid`: points marked so are judged, too. What ends it early is
    raised after a word on what is kept."""
    from loadtest.sweep import carry_out

    with bar() as drawn:
        shown = _Shown(Bar(drawn), plan)
        try:
            for result in carry_out(plan, shown, invalid=invalid):
                kept.add(result)
                shown.result(result)
        except (KeyboardInterrupt, click.Abort, StrideError):
            print_step(f"ended early: {len(kept.results)} of {len(plan)} are measured and kept")
            raise


@dataclass
class Mark:
    """What a test has come to."""

    text: str = "ended early"


@contextmanager
def annotated(annotation: "Annotation | None", about: str, models: Sequence[str]) -> Iterator[Mark]:
    """A region in Grafana from now to the end, also where that comes early."""
    mark = Mark()
    if annotation is None:
        yield mark
        return
    annotation.begin(f"{about}: running", models, seconds=time.time())
    try:
        yield mark
    finally:
        annotation.end(f"{about}: {mark.text}", seconds=time.time())


class _Shown:
    """The bar goes on with the clock while a point is measured."""

    def __init__(self, shown: Bar, plan: "Sequence[Step]") -> None:
        self._bar = shown
        self._left = [step.seconds for step in plan]
        self._began = time.monotonic()
        shown.expect(sum(self._left))

    @contextmanager
    def during(self, words: str, _seconds: float, /) -> Iterator[None]:
        """One load on one target."""
        self._bar.now(words if len(words) <= _WORDS else f"...{words[3 - _WORDS :]}")
        over = threading.Event()
        ticking = threading.Thread(target=self._tick, args=(over,), daemon=True)
        ticking.start()
        try:
            yield
        finally:
            over.set()
            ticking.join()

    def step(self, text: str) -> None:
        """A line above the bar."""
        self._bar.step(text)

    def result(self, result: "Result") -> None:
        """A line for it; a bar that was far off is put right."""
        from commands.loadtest_tables import line

        self._bar.step(line(result))
        planned, took = self._left.pop(0), time.monotonic() - self._began
        self._began = time.monotonic()
        if self._left and not planned / _OFF < took < planned * _OFF:
            self._bar.expect(sum(self._left))

    def _tick(self, over: threading.Event) -> None:
        while not over.wait(_TICK):
            self._bar.done(_TICK)
