"""Every way to start the service: what it accepts has Nagle's algorithm off. With it on, a second
request on a connection waits about 40 ms for the client's delayed acknowledgement."""

import ctypes
import http.client
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.service.client import png
from tests.service.fakes import FakeEngine
from tests.service.local_service import LocalService
from tests.service.process import ServiceProcess
from tests.tiny import write_tiny

EVERYWHERE = "0.0.0.0"  # noqa: S104  for as long as the test runs
PIDFD_GETFD = 438  # the same on every architecture


def sockets_of(pid: int) -> Iterator[socket.socket]:
    """Copies of another process's sockets."""
    system = ctypes.CDLL(None, use_errno=True)
    process = os.pidfd_open(pid)
    for link in Path(f"/proc/{pid}/fd").iterdir():
        if not str(link.readlink()).startswith("socket:"):
            continue
        copy = system.syscall(PIDFD_GETFD, process, int(link.name), 0)
        if copy < 0:
            os.close(process)
            pytest.skip(f"another process's sockets: {os.strerror(ctypes.get_errno())}")
        with socket.socket(fileno=copy) as own:
            yield own
    os.close(process)


def accepted(pid: int, client: socket.socket) -> tuple[bool, int]:
    """Whether the service's end of this connection has TCP_NODELAY, and its protocol number."""
    for own in sockets_of(pid):
        if own.family not in {socket.AF_INET, socket.AF_INET6} or own.type != socket.SOCK_STREAM:
            continue
        try:
            peer = own.getpeername()
        except OSError:  # it listens
            continue
        if peer[1] == client.getsockname()[1]:
            return bool(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)), own.proto
    raise AssertionError("the service has no such connection")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def in_file(folder: Path, text: str) -> tuple[str, ...]:
    (folder / "serve.toml").write_text(text)
    return ("--config", str(folder / "serve.toml"))


MODES: dict[str, Callable[[Path], tuple[str, ...]]] = {
    "free-port": lambda _: (),
    "chosen-port": lambda _: ("--port", str(free_port())),
    "host": lambda _: ("--host", EVERYWHERE),
    "host-by-name": lambda _: ("--host", "localhost"),
    "host-of-ipv6": lambda _: ("--host", "::1"),
    "config-file": lambda folder: in_file(folder, 'host = "127.0.0.1"\ngrace = 5\n'),
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads another process's sockets")
@pytest.mark.parametrize("mode", MODES)
def test_accepted_connections_do_not_wait_for_acknowledgements(tmp_path: Path, mode: str) -> None:
    if mode == "host-of-ipv6" and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    write_tiny(tmp_path)
    service = ServiceProcess(tmp_path, "--drain-delay", "0", *MODES[mode](tmp_path))
    service.wait_until_ready()
    address = urlsplit(service.url.replace(EVERYWHERE, "127.0.0.1"))
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)

    for _ in range(2):  # the second one on the same connection
        connection.request("POST", "/v1/classify", png())
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (200, True)
    nodelay, protocol = accepted(service.process.pid, connection.sock)

    connection.close()
    assert nodelay
    assert protocol == socket.IPPROTO_TCP
    assert service.stop() == 0, service.text


def test_service_within_asyncio_has_it_off_too() -> None:
    """Without uvloop, which sets the option by itself, the protocol number of the listener does."""
    service = LocalService(FakeEngine())
    with service.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        (own,) = service.connections()
        assert own.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    service.stop()
