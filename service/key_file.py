"""The file of `--api-keys`: one TOML table for each key."""

import logging
import math
import re
import tomllib
from pathlib import Path
from typing import Any

from measuring.errors import InputError
from service.keyring import ApiKey, Keyring
from service.keys import digest
from service.rate import Rate

log = logging.getLogger("stride.keys")

SHORTEST = 16
"""Characters of a key; fewer can be guessed."""
SLOWEST, FASTEST = 4e-7, 1e9
"""Requests per second of one key: beyond, waiting times and counts are no numbers any more."""
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KEY = re.compile(rf"[!-~]{{{SHORTEST},512}}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_FIELDS = ("burst", "key", "rate", "sha256")


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """Tables `[name]` with `key` or its `sha256` and, where it has a limit, `rate` (requests per
    second) and `burst` (at once; about the rate where it is left out).

    Raises InputError for anything else, never with a key in its message.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"--api-keys {path} cannot be read: {reason}; expected TOML") from error
    if not document:
        raise InputError(f"--api-keys {path} has no key, expected tables [name] with one in each")
    keys: dict[bytes, ApiKey] = {}
    for name, table in document.items():
        key = _read_key(f"--api-keys {path}: [{name[:64]}]", name, table)
        if same := keys.get(key.digest):
            raise InputError(f"--api-keys {path}: [{same.name}] and [{name}] are the same key")
        keys[key.digest] = key
    return tuple(keys.values())


def read_again(keyring: Keyring, path: Path) -> None:
    """What the file says now; a file that cannot be read leaves the keys as they were."""
    try:
        keys = read_keys(path)
    except InputError as error:
        log.error("the keys stay as they were: %s", error)
        return
    keyring.replace(keys)
    log.info("keys names=%s", ",".join(key.name for key in keys))


def _read_key(where: str, name: str, table: Any) -> ApiKey:
    if not isinstance(table, dict):
        raise InputError(f'{where} is no table, expected [name] and below it key = "..."')
    if not _NAME.fullmatch(name):
        raise InputError(f"{where}: a name has up to 64 letters, digits and . _ -")
    if unknown := sorted(set(table) - set(_FIELDS)):
        raise InputError(f"{where} has unknown {', '.join(unknown)}; expected {', '.join(_FIELDS)}")
    return ApiKey(name, _read_digest(where, table), _read_rate(where, table))


def _read_digest(where: str, table: dict[str, Any]) -> bytes:
    if ("key" in table) == ("sha256" in table):
        raise InputError(f"{where} needs either key or sha256")
    if "sha256" in table:
        value = table["sha256"]
        if not (isinstance(value, str) and _SHA256.fullmatch(value)):
            raise InputError(f"{where}: sha256 is not 64 hexadecimal digits in quotes")
        return bytes.fromhex(value)
    value = table["key"]
    if not (isinstance(value, str) and _KEY.fullmatch(value)):
        raise InputError(
            f"{where}: key is not {SHORTEST} to 512 printable ASCII characters in quotes, without "
            "spaces; make one with: openssl rand -hex 24"
        )
    return digest(value.encode())


def _read_rate(where: str, table: dict[str, Any]) -> Rate | None:
    rate, burst = table.get("rate"), table.get("burst")
    if rate is None:
        if burst is not None:
            raise InputError(f"{where} has a burst and no rate")
        return None
    if not _is_number(rate) or not SLOWEST <= rate <= FASTEST:
        raise InputError(
            f"{where}: rate is {str(rate)[:40]}, expected requests per second from {SLOWEST:g} "
            f"(about one a month) to {FASTEST:g}"
        )
    if burst is None:
        burst = max(1, math.ceil(rate))
    if not _is_number(burst) or not 1 <= burst <= FASTEST or burst != int(burst):
        raise InputError(
            f"{where}: burst is {str(burst)[:40]}, expected a whole number from 1 to {FASTEST:g}"
        )
    return Rate(float(rate), int(burst))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
