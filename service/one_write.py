"""An answer's head and the first of its body in one piece."""

import asyncio


class OneWrite:
    """What uvicorn writes one answer to. It writes the head by itself, which costs a system call
    and wakes the client, which can do nothing with it; here the head waits for what follows."""

    __slots__ = ("_head", "_transport")

    def __init__(self, transport: asyncio.Transport, *, bodiless: bool) -> None:
        """`bodiless`: nothing will follow the head, as after HEAD."""
        self._transport = transport
        self._head = b"" if bodiless else None

    def write(self, data: bytes) -> None:
        if self._head is None:
            self._head = data
        else:
            head, self._head = self._head, b""
            self._transport.write(head + data if head else data)

    def close(self) -> None:
        if self._head and not self._transport.is_closing():
            self.write(b"")
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()
