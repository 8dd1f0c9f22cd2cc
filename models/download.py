"""Published checkpoints on disk: fetched once, checked against their checksum, kept in a cache."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measuring.errors import MissingError
from models.transfer import READ_TIMEOUT, transfer
from models.weights import Weights


def fetch(
    weights: Weights, *, cache: str | Path | None = None, read_timeout: float = READ_TIMEOUT
) -> Path:
    """The checkpoint's file, downloaded unless the cache has it.

    `cache` defaults to `$STRIDE_CACHE`, else `~/.cache/stride`. A file is checked against the
    published SHA-256, or as much of it as is published, each time it is asked for. Raises
    MissingError, naming the address and what to do, when it cannot be had or is not the file.
    """
    folder = Path(cache or os.environ.get("STRIDE_CACHE") or Path.home() / ".cache" / "stride")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(folder):
            return _fetch(weights, folder / _file_name(weights), read_timeout)
    except OSError as error:
        raise MissingError(
            f"the cache {folder} cannot be used: {error.strerror or error}; "
            "name another folder in STRIDE_CACHE"
        ) from error


def sha256_of(path: Path) -> str:
    """Hexadecimal digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(weights: Weights, path: Path, read_timeout: float) -> Path:
    if path.exists() and _matches(weights, sha256_of(path)):
        return path
    path.unlink(missing_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    if not weights.sha256_prefix:
        # Nothing would tell halves of two editions from a whole file.
        partial.unlink(missing_ok=True)
    try:
        transfer(weights.url, partial, read_timeout=read_timeout)
    except MissingError as error:
        if not weights.sha256_prefix:
            partial.unlink(missing_ok=True)
        raise MissingError(f"{_what(weights)} cannot be downloaded: {error}; {_ADVICE}") from error
    received = sha256_of(partial)
    if not _matches(weights, received):
        partial.unlink()
        raise MissingError(
            f"{_what(weights)} was downloaded and deleted: its SHA-256 is {received}, expected "
            f"{_expected(weights)}; the file was altered on the way or replaced; {_ADVICE}"
        )
    partial.replace(path)
    return path


_ADVICE = (
    "download it on another machine and pass --weights PATH, "
    "or go on without training with --weights untrained"
)


def _what(weights: Weights) -> str:
    return f"{weights.network} ({weights.name}) from {weights.url}"


def _expected(weights: Weights) -> str:
    return weights.sha256 or f"one that starts with {weights.sha256_prefix}"


def _matches(weights: Weights, sha256: str) -> bool:
    return sha256.startswith((weights.sha256 or weights.sha256_prefix).lower())


def _file_name(weights: Weights) -> str:
    """Unlike for two addresses, so that a new edition is fetched anew."""
    address = hashlib.sha256(weights.url.encode()).hexdigest()[:8]
    return f"{weights.network}-{weights.name}-{address}{weights.suffix}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One download in a cache at a time, also across processes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
