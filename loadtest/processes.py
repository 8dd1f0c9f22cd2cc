"""The generator's processes: started, brought to begin together, and asked what they counted."""

import gc
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess

from loadtest.arrivals import moments
from loadtest.generator import Generator
from loadtest.interrupts import require_none
from loadtest.load import Closed, Load
from loadtest.prepared import Prepared
from loadtest.tally import Tally, added
from loadtest.traffic import Clients, Crowd, Traffic
from measuring.errors import StrideError

_LEAD = 0.1
"""Seconds from the word to begin until the first request may be due."""
_LONGEST_START = 120.0
_OVERTIME = 60.0
_LOOK = 0.1
"""Seconds between two looks whether to go on waiting."""
_ENDINGS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, eq=False)
class Job:
    """One process's `part` of a load."""

    prepared: Prepared
    load: Load
    part: int = 0


Task = Callable[[Pipe, Job], object]


def drive(prepared: Prepared, load: Load) -> Tally:
    """What all processes counted. Raises MissingError where nobody listens any more, StrideError
    where a process ends by itself."""
    with ExitStack() as stack:
        pipes = [stack.enter_context(started(_count)) for _ in range(load.processes)]
        for part, pipe in enumerate(pipes):
            give(pipe, Job(prepared, load, part))
        for pipe in pipes:
            receive(pipe, _LONGEST_START)
        start = time.perf_counter() + _LEAD
        for pipe in pipes:
            give(pipe, start)
        longest = _LEAD + load.warm_up + load.seconds + prepared.target.timeout + _OVERTIME
        return added([_tally(receive(pipe, longest)) for pipe in pipes])


@contextmanager
def started(task: Task) -> Iterator[Pipe]:
    """A process that waits for its job, and the pipe to it: what `task` makes of the job comes
    back over it. The process has ended afterwards."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process: BaseProcess = context.Process(target=_live, args=(theirs, task), daemon=True)
    try:
        with _endings_held_back():
            process.start()
        theirs.close()
        yield ours
    finally:
        ours.close()  # which ends a process that is still at work
        theirs.close()
        if process.pid is not None:
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()


@contextmanager
def _endings_held_back() -> Iterator[None]:
    """A process that starts meanwhile is deaf to them until it has settled: Python would end with
    a traceback. This one hears of them afterwards, instead of leaving that one half made; the mask
    is not enough for it, since other threads hear for the one that starts."""
    resource_tracker.ensure_running()  # which would let them through when it is started later
    came: list[int] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    handlers = {it: signal.getsignal(it) for it in _ENDINGS} if _is_main() else {}
    for ending, handler in handlers.items():
        if callable(handler):
            signal.signal(ending, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for ending, handler in handlers.items():
            if callable(handler):
                signal.signal(ending, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number in came:
            signal.raise_signal(number)


def _is_main() -> bool:
    """Whether this thread may set handlers."""
    return threading.current_thread() is threading.main_thread()


def _live(pipe: Pipe, task: Task) -> None:
    """The whole life of one process. The job comes over the pipe, not as an argument, of which a
    process whose parent is ended would read the half and say so."""
    try:
        job = pipe.recv()
    except (EOFError, OSError):
        return  # nobody wants to know any more
    try:
        _settle(job.load)
        found = task(pipe, job)
    except StrideError as error:
        found = error
    except Exception as error:  # noqa: BLE001  raised where it was asked for
        found = StrideError(repr(error))
    with suppress(OSError):  # where nobody wants to know any more
        pipe.send(found)


def _count(pipe: Pipe, job: Job) -> Tally:
    """Ready, begin, result."""
    run = _Run(job)
    pipe.send(None)
    start = pipe.recv()
    threading.Thread(target=end_with, args=(pipe,), daemon=True).start()
    return run.go(start)


def _settle(load: Load) -> None:
    """This process onto its cores, with as many open files as it may have; interrupts at the
    terminal are for the one that started it, which ends it then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if load.cores is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, load.cores)


def end_with(pipe: Pipe) -> None:
    """Ends this process when the one at the other end of the pipe goes."""
    try:
        pipe.recv()
    except (EOFError, OSError):
        os._exit(1)


class _Run:
    """Connections are open when it is made; `go` drives them."""

    def __init__(self, job: Job) -> None:
        self._load, self._part = job.load, job.part
        traffic, parts = job.load.traffic, job.load.processes
        if isinstance(traffic, Closed):
            self._connections = _share(traffic.connections, job.part, parts)
            first = self._connections
        else:
            self._connections = _share(traffic.max_connections, job.part, parts)
            first = job.prepared.connections(traffic.rate / parts, self._connections)
        self._generator = Generator(job.prepared, connections=self._connections, first=first)

    def go(self, start: float) -> Tally:
        """From this moment of the machine's clock on."""
        load = self._load
        end = start + load.warm_up + load.seconds
        tally = Tally(start + load.warm_up, end)
        gc.freeze()
        gc.disable()  # a collection in the middle would be the generator's, not the service's
        self._generator.run(self._traffic(start, end), tally)
        return tally

    def _traffic(self, start: float, end: float) -> Traffic:
        load = self._load
        if isinstance(load.traffic, Closed):
            return Clients(self._connections, start, end)
        seconds = load.warm_up + load.seconds
        parts = load.processes
        due = moments(load.traffic, seconds, seed=load.seed, part=self._part, parts=parts)
        return Crowd(due, start)


def _share(count: int, part: int, parts: int) -> int:
    return count // parts + (part < count % parts)


def give(pipe: Pipe, what: object) -> None:
    """To the process at the other end. Raises StrideError where it has ended."""
    try:
        pipe.send(what)
    except OSError as error:
        raise _ended() from error


def receive(pipe: Pipe, longest: float) -> object:
    """What the process at the other end sends. Raises it where it is an error, StrideError where
    none came in so many seconds."""
    until = time.perf_counter() + longest
    try:
        while not pipe.poll(_LOOK):
            require_none()
            if time.perf_counter() > until:
                raise StrideError(f"a process of the generator said nothing for {longest:.0f} s")
        found = pipe.recv()
    except (EOFError, OSError) as error:
        raise _ended() from error
    if isinstance(found, StrideError):
        raise found
    return found


def _ended() -> StrideError:
    return StrideError(
        "a process of the generator has ended; its last words are above, if it had any"
    )


def _tally(found: object) -> Tally:
    assert isinstance(found, Tally)  # noqa: S101  what `_count` counted in the end
    return found
