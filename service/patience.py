"""How long a connection waits: for another request, and for a client to read its answers."""

import asyncio
from math import inf
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

UNREAD_SECONDS = 10.0
"""For a client to read what it was sent: all of it where the connection ends, else UNREAD_BYTES."""
UNREAD_BYTES = 1 << 16


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which hangs up where nothing comes for long, with one timer for all such
    pauses, and where what it was answered is not read."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._idle_since = inf
        self._unread_timer: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._unread_timer, self.timeout_keep_alive_task):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """One timer for all pauses of a connection: when it ends, this one may be a later one."""
        self.timeout_keep_alive_task = None
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left <= 0:
            self._hang_up()
        elif left < inf:
            self._look_for_another(left)

    def _unset_keepalive_if_required(self) -> None:
        """uvicorn calls this when something comes."""
        self._idle_since = inf

    def _wait_for_another(self) -> None:
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_for_another(self.timeout_keep_alive)

    def _look_for_another(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_reading(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread_timer is not None and not self.transport.is_closing():
            self._unread_timer.cancel()
            self._unread_timer = None

    def _hang_up(self) -> None:
        """Close, and break off where the client does not even read what it was still sent."""
        self.transport.close()
        if self._unread_timer is not None:
            self._unread_timer.cancel()
        self._unread_timer = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def _expect_reading(self, unread: int) -> None:
        """Look again whether the client reads; not at all is a reason to break off."""
        if self._unread_timer is not None:
            self._unread_timer.cancel()
        self._unread_timer = self.loop.call_later(UNREAD_SECONDS, self._look_again, unread)

    def _look_again(self, before: int) -> None:
        unread = self.transport.get_write_buffer_size()
        if unread > before - UNREAD_BYTES:
            self.transport.abort()
        else:
            self._expect_reading(unread)
