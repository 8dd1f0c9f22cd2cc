"""The address that a service listens on, and how many may connect to it."""

import errno
import logging
import resource
import socket

from measuring.errors import InputError, MissingError

log = logging.getLogger("stride.serve")

BACKLOG = 2048
FILES = 256
"""Open files that are not connections."""
ADVICE = {
    errno.EADDRINUSE: "stop what listens there, or choose another with --port",
    errno.EADDRNOTAVAIL: "give --host an address of this machine, or 0.0.0.0 for all of them",
    errno.EACCES: "choose a port from 1024 on with --port, or let a proxy listen there",
}
"""What to do about each refusal of the system."""


def bind(host: str, port: int) -> socket.socket:
    """A listening address of our own: errors are ours to word, and the protocol number is set,
    without which asyncio leaves Nagle's algorithm on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        raise InputError(f"--host {host!r} is no address of this machine: {error}") from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise MissingError(
            f"cannot listen on {host} port {port}: {error.strerror}; "
            + ADVICE.get(error.errno or 0, "choose another --host or --port")
        ) from error
    return listener


def allow_connections(wanted: int) -> int:
    """How many the system lets us have open, up to `wanted`: each takes a file, and so do models,
    which have some set aside. Raises the process's own limit as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + FILES
    if resource.RLIM_INFINITY != soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    allowed = max(1, soft - FILES)
    log.warning("files=%d allow connections=%d of %d; raise ulimit -n", soft, allowed, wanted)
    return allowed


def announce(listener: socket.socket) -> None:
    """Say where it listens."""
    host, port = listener.getsockname()[:2]
    named = f"[{host}]" if ":" in host else host
    log.info("listening url=%s", f"http://{named}:{port}")
