"""Interrupts where they can be dealt with. What a signal raises in the middle of a destructor,
which may run between any two steps, Python drops with a traceback."""

import threading
from types import FrameType

_came = threading.Event()


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """A handler for signals: the first is heard in `require_none`, the second raises at once."""
    if _came.is_set():
        raise KeyboardInterrupt
    _came.set()


def require_none() -> None:
    """For whoever waits, a few times a second. Raises KeyboardInterrupt where one has come."""
    if _came.is_set():
        raise KeyboardInterrupt


def forget() -> None:
    """What came is dealt with."""
    _came.clear()
