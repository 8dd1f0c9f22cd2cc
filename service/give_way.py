"""Threads that compute for long do not interrupt those that answer."""

import os
from contextlib import suppress


def give_way() -> None:
    """For the calling thread, for good: when it wakes up it waits for the running ones to pause.

    Its share of the processor stays the same. On Linux it is SCHED_BATCH, see sched(7), which needs
    no privilege; elsewhere nothing happens.
    """
    if hasattr(os, "SCHED_BATCH"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
