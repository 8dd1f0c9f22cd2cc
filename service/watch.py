"""When the repository is looked through again: on SIGHUP, and where asked for, when it changes."""

import asyncio
import logging
import signal
from collections.abc import Callable

from service.repository import Repository
from service.seam import Core

log = logging.getLogger("stride.load")


def reload_on_hangup(core: Core, *also: Callable[[], None]) -> None:
    """On the running loop, from now on: `also`, and then the core, which does one reload after the
    other."""
    loop = asyncio.get_running_loop()
    waiting: set[asyncio.Task[None]] = set()

    def hang_up() -> None:
        log.info("signal=SIGHUP: looking through the repository")
        for reread in also:
            reread()
        task = loop.create_task(core.reload())
        waiting.add(task)
        task.add_done_callback(waiting.discard)

    loop.add_signal_handler(signal.SIGHUP, hang_up)


async def watch(core: Core, repository: Repository, seconds: float) -> None:
    """Look every so many seconds whether an artifact came, changed or went; ends when cancelled.
    Exports write the manifest last, so what is seen is whole; what is copied with the manifest
    first is broken at first, and tried again whenever more of it has come. Where looking fails, as
    a disk may, the next look comes all the same."""
    seen = repository.signature()
    while True:
        await asyncio.sleep(seconds)
        try:
            now = await asyncio.to_thread(repository.signature)
            if now != seen:
                await core.reload()
                seen = now
        except Exception:
            log.exception(
                "looking through the repository failed; the next look is in %g s", seconds
            )
