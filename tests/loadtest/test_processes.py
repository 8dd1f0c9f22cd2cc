"""The generator's processes where they, or the one that started them, end before their time."""

import multiprocessing
import operator
import os
import signal
import threading
from multiprocessing.process import BaseProcess

import pytest

from loadtest.load import Closed, Load
from loadtest.prepared import Prepared
from loadtest.processes import Job, give, receive, started
from loadtest.service import Model
from loadtest.target import Target
from measuring.errors import StrideError

TASK = operator.is_not  # pipe and job are two things: true
NOTHING = Prepared(Target("http://127.0.0.1:9", "m"), Model("m", 8, 5), (), (), 0.1)
JOB = Job(NOTHING, Load(Closed()))
LARGE = Job(Prepared(NOTHING.target, NOTHING.model, (bytes(8 << 20),), (), 0.1), JOB.load)
"""More than a pipe holds, so that it is given only when it is taken."""


def child() -> BaseProcess:
    (found,) = multiprocessing.active_children()
    return found


def number(process: BaseProcess) -> int:
    assert process.pid is not None
    return process.pid


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=["int", "term"])
def test_signal_to_all_while_one_starts_leaves_it_to_the_parent(
    ending: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    with started(TASK) as pipe:
        os.kill(number(process := child()), ending)
        if ending is signal.SIGINT:
            give(pipe, LARGE)
            assert receive(pipe, 60.0) is True
    process.join(60)

    assert process.exitcode == 0
    assert capfd.readouterr().err == ""


def test_interrupt_while_one_starts_comes_when_it_has_started(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    start, begun = BaseProcess.start, []

    def hear() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))
        signal.raise_signal(signal.SIGINT)

    def interrupted(process: BaseProcess) -> None:
        """Another thread hears the signal, and this one is told between any two steps."""
        other = threading.Thread(target=hear)
        other.start()
        other.join()
        start(process)
        begun.append(process)

    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    monkeypatch.setattr(BaseProcess, "start", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), started(TASK):
            raise AssertionError("nothing is done any more")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)

    assert [process.exitcode for process in begun] == [0]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
    assert capfd.readouterr().err == ""


def test_one_that_is_killed_while_it_starts_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with started(TASK) as pipe:
        os.kill(number(child()), signal.SIGKILL)
        with pytest.raises(StrideError, match="a process of the generator has ended"):
            give(pipe, LARGE)

    assert capfd.readouterr().err == ""


def test_what_goes_wrong_in_one_is_raised_where_it_was_asked_for() -> None:
    with started(operator.add) as pipe:
        give(pipe, JOB)
        with pytest.raises(StrideError, match="unsupported operand"):
            receive(pipe, 60.0)
