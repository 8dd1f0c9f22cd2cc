"""`stride serve` as a process of the demo: ready within a bounded time, or its log tells why."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3

from demo.command import Command, end_group
from demo.screen import Screen
from measuring.errors import CheckError, MissingError

HOST = "127.0.0.1"
READY = 180.0  # seconds; every engine opens, replays its golden pictures and warms up
STOP = 45.0  # seconds; more than `stride serve` takes to drain
_POLL = 0.1
_TAIL = 15  # lines of the log


@dataclass(frozen=True)
class Service:
    """A running service."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://{HOST}:{self.port}"


def free_port(wanted: int) -> int:
    """`wanted` itself, or a free one for 0. Raises MissingError where it is taken: otherwise the
    demo might measure what listens there."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, wanted))
        except OSError as error:
            raise MissingError(
                f"cannot listen on {HOST} port {wanted}: {error.strerror}; "
                "stop what listens there, or leave --port out"
            ) from error
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def started(command: Command, screen: Screen, *, port: int, log: Path) -> Iterator[Service]:
    """The service, ended by force unless the block stopped it or left it running on purpose:
    an exception never leaves it behind."""
    screen.command(f"{command.line} 2> {log}")
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  (words of our own, no shell)
            command.words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the demo, which then stops it
        )
    try:
        yield Service(process, port, log)
    except BaseException:
        if process.poll() is None:
            end_group(process)
        raise


def wait_until_ready(service: Service, *, timeout: float = READY) -> None:
    """Returns once /readyz answers 200. Raises CheckError, with the end of its log, when it ends
    before that or is not ready within `timeout` seconds."""
    with urllib3.HTTPConnectionPool(HOST, service.port, timeout=2.0, retries=False) as pool:
        for _ in range(round(timeout / _POLL)):
            if _is_ready(pool):
                return
            try:
                code = service.process.wait(_POLL)
            except subprocess.TimeoutExpired:
                continue
            raise CheckError(f"the service ended with exit code {code}; {_last_words(service)}")
    raise CheckError(f"the service was not ready within {timeout:g} s; {_last_words(service)}")


def stop(service: Service) -> None:
    """SIGTERM: it finishes what it admitted. Raises CheckError unless it ends in time and well."""
    service.process.send_signal(signal.SIGTERM)
    try:
        code = service.process.wait(STOP)
    except subprocess.TimeoutExpired as error:
        raise CheckError(
            f"the service did not end within {STOP:g} s of SIGTERM; {_last_words(service)}"
        ) from error
    if code != 0:
        raise CheckError(f"the service ended with exit code {code}; {_last_words(service)}")


def _is_ready(pool: urllib3.HTTPConnectionPool) -> bool:
    try:
        return pool.request("GET", "/readyz").status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _last_words(service: Service) -> str:
    lines = service.log.read_text(errors="replace").splitlines()[-_TAIL:]
    text = "\n".join(f"  {line}" for line in lines)
    return f"the end of its log {service.log}:\n{text}" if lines else f"{service.log} is empty"
