"""Interrupts that are heard: what a signal raises in the middle of a destructor, Python drops."""

import threading
from types import FrameType

_came = threading.Event()


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """A handler for signals. Raises KeyboardInterrupt, now and in `require_none`."""
    _came.set()
    raise KeyboardInterrupt


def require_none() -> None:
    """For whoever waits for long. Raises KeyboardInterrupt where one has come."""
    if _came.is_set():
        raise KeyboardInterrupt


def forget() -> None:
    """What came is dealt with."""
    _came.clear()
