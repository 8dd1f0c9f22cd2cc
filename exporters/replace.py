"""Puts a finished directory in its place in one step, also where an older one stands."""

import ctypes
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measuring.errors import InputError

# <fcntl.h> and <linux/fs.h>; Python offers neither the call nor its constants.
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def workspace(target: Path) -> Iterator[Path]:
    """An empty hidden directory beside `target`, removed at the end with what is left in it.

    Raises InputError where none can be made.
    """
    directory = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        directory.mkdir(parents=True)
    except OSError as error:
        raise InputError(
            f"repository {target.parent} cannot be written ({error.strerror}), expected a "
            "directory of yours; choose another with --repository"
        ) from error
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def put_in_place(directory: Path, target: Path) -> None:
    """`directory` becomes `target`; what stood there becomes `directory`.

    A reader sees the old or the new one. Where the file system cannot exchange two names, there
    is an instant with neither.
    """
    if not target.exists():
        directory.rename(target)
    elif not _exchange(directory, target):
        aside = directory.with_name(directory.name + "-old")
        target.rename(aside)
        directory.rename(target)
        aside.rename(directory)


def _exchange(one: Path, other: Path) -> bool:
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    if rename is None:
        return False
    code: int = rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return code == 0
