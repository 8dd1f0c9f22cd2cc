"""The end of a process in which something hangs."""

import asyncio
import logging
import os
from typing import NoReturn

log = logging.getLogger("stride.serve")

LAST = 1.0
"""Seconds that engines have at least to end their calls, once everybody has gone."""
HUNG = 1
"""The exit code where something hung at the end."""


async def wait_for_opening(opening: "asyncio.Task[None]", seconds: float) -> None:
    """Returns when the models are open; where that takes longer, the process ends. Raises what
    opening them raises."""
    try:
        async with asyncio.timeout(seconds):
            await opening
    except TimeoutError:
        log.error("a model was still being opened")
        leave()


def leave() -> NoReturn:
    """End without the interpreter's own end, which waits for threads and takes the runtimes' memory
    away under the calls that hang in them."""
    log.error("stopped exit_code=%d: what hangs was left behind", HUNG)
    logging.shutdown()
    os._exit(HUNG)
