"""One file over HTTP: bounded in size, time and tries, and resumed where a connection was cut."""

import re
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from urllib3.exceptions import HTTPError, MaxRetryError, NameResolutionError, NewConnectionError

from measuring.errors import InputError, MissingError

MAX_BYTES = 2 << 30
TRIES = 3
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 30.0
_PAUSES = (0.25, 1.0)
_CHUNK = 1 << 20


class _CutError(Exception):
    """A try that failed in a way the next may not."""


def transfer(url: str, partial: Path, *, read_timeout: float = READ_TIMEOUT) -> None:
    """Make `partial` the file at `url`, going on from what it already holds.

    Raises InputError for an address that is not http or https, and MissingError, with the reason
    and without advice, when the file cannot be had. What arrived stays in `partial`.
    """
    scheme = urlsplit(url).scheme
    if scheme not in ("http", "https"):
        raise InputError(f"address {url}: expected http or https, got {scheme or 'neither'}")
    timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=read_timeout)
    with _pool(url, timeout) as pool:
        for pause in (*_PAUSES, None):
            try:
                _append(pool, url, partial)
            except _CutError as cut:
                if pause is None:
                    raise MissingError(f"{cut}, {TRIES} times") from cut
                time.sleep(pause)
            else:
                return


def _pool(url: str, timeout: urllib3.Timeout) -> urllib3.PoolManager:
    """Through the proxy that the environment names for this address, if any."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    # Redirects are followed; tries are counted here.
    retries = urllib3.Retry(total=5, connect=0, read=0, status=0, other=0, redirect=5)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy, timeout=timeout, retries=retries)
    return urllib3.PoolManager(timeout=timeout, retries=retries)


def _append(pool: urllib3.PoolManager, url: str, partial: Path) -> None:
    held = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity", "User-Agent": "stride"}
    if held:
        headers["Range"] = f"bytes={held}-"
    try:
        response = pool.request("GET", url, headers=headers, preload_content=False)
    except MaxRetryError as error:
        if isinstance(error.reason, NameResolutionError | NewConnectionError):
            raise MissingError(f"no connection: {error.reason}") from error
        raise _CutError(str(error.reason)) from error
    except HTTPError as error:
        raise _CutError(str(error)) from error
    try:
        start = _start(response, held)
        if start is None:
            partial.unlink()
            raise _CutError("the server has less of the file than was fetched before")
        _write(response, partial, start)
    finally:
        response.close()


def _start(response: urllib3.BaseHTTPResponse, held: int) -> int | None:
    """Where in the file the body begins; None if the server cannot go on from `held`."""
    if response.status == 200:
        return 0
    if response.status == 206:
        match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        return held if match and int(match[1]) == held else None
    if response.status == 416:
        return None
    reason = f"the server answered {response.status} {response.reason or ''}".rstrip()
    if response.status >= 500 or response.status in (408, 429):
        raise _CutError(reason)
    raise MissingError(reason)


def _write(response: urllib3.BaseHTTPResponse, partial: Path, start: int) -> None:
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isdecimal() else None
    _bound(total or 0, partial)
    received = start
    with ExitStack() as stack:
        file = stack.enter_context(partial.open("ab" if start else "wb"))
        bar = stack.enter_context(_bar())
        task = bar.add_task(partial.stem, total=total, completed=start)
        try:
            for chunk in response.stream(_CHUNK, decode_content=False):
                received += len(chunk)
                _bound(received, partial)
                file.write(chunk)
                bar.update(task, completed=received)
        except HTTPError as error:
            raise _CutError(
                f"cut after {received} of {total or 'unknown'} bytes: {error}"
            ) from error
    if total is not None and received != total:
        raise _CutError(f"cut after {received} of {total} bytes")


def _bound(size: int, partial: Path) -> None:
    if size > MAX_BYTES:
        partial.unlink(missing_ok=True)
        raise MissingError(f"the file has {size} bytes, more than the {MAX_BYTES} allowed")


def _bar() -> Progress:
    """On stderr, and only where a person is watching."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
