"""Reads a team's gate from a TOML file. Everything in it is checked before anything is sent, and a
mistake is told with its line, its key and what was expected there."""

import math
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from measuring.errors import InputError

Check = Callable[[Any], bool]


class Source:
    """A TOML file as values, and where in it each of them stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_bytes().decode("utf-8")
            self.values: dict[str, Any] = tomllib.loads(text)
            self._lines = text.split("\n")
        except OSError as error:
            raise InputError(
                f"scenario {path} cannot be read: {error.strerror}; expected a TOML file such as "
                "loadtest/scenarios/gate.toml"
            ) from error
        except (ValueError, RecursionError) as error:  # TOMLDecodeError and bad UTF-8
            raise InputError(f"scenario {path} is no TOML: {error}") from error

    def refuse(self, key: str, expected: str, *, table: str = "", number: int = 0) -> NoReturn:
        """Raises InputError about a key of the `number`th `[[table]]`, or of the top."""
        values = self.values[table][number] if table else self.values
        line = self._line(key, table, number)
        where = f"scenario {self.path}" + (f", line {line}" if line else "")
        received = f"{key} = {_as_written(values[key])}" if key in values else f"no {key}"
        inside = f" in [[{table}]]" if table else ""
        raise InputError(f"{where}: {received}{inside}, expected {expected}")

    def tables(self, name: str) -> list[dict[str, Any]]:
        """All `[[name]]`. Raises InputError where `name` is something else."""
        found = self.values.get(name, [])
        if not (isinstance(found, list) and all(isinstance(each, dict) for each in found)):
            self.refuse(name, f"tables headed [[{name}]]")
        return found

    def require(
        self, keys: Mapping[str, tuple[Check, str]], *, table: str = "", number: int = 0
    ) -> None:
        """Raises InputError for an unknown key and for a value of another form."""
        values = self.values[table][number] if table else self.values
        for key, value in values.items():
            if key not in keys:
                known = ", ".join(sorted(keys))
                self.refuse(key, f"one of the keys {known}", table=table, number=number)
            check, expected = keys[key]
            if not check(value):
                self.refuse(key, expected, table=table, number=number)

    def _line(self, key: str, table: str, number: int) -> int | None:
        """Of the key, of its table's head where the key is missing, None where neither is found."""
        inside, seen, head = not table, -1, None
        for at, text in enumerate(self._lines, 1):
            if found := re.match(r"\s*\[+\s*([^\]]*?)\s*\]+", text):
                seen += found[1] == table
                inside = bool(table) and found[1] == table and seen == number
                head = at if inside else head
            if (not table and found and found[1] == key) or (
                inside and re.match(rf'\s*["\']?{re.escape(key)}["\']?\s*=', text)
            ):
                return at
        return head


def is_text(value: Any) -> bool:
    """Some, and none of it is invisible."""
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def is_number(value: Any) -> bool:
    """Above 0 and finite."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value > 0
    )


def is_from_zero(value: Any) -> bool:
    """A number that may be 0."""
    return is_number(value) or (value == 0 and not isinstance(value, bool))


def is_whole(value: Any) -> bool:
    """From 1."""
    return isinstance(value, int) and is_number(value)


def some(check: Check) -> Check:
    """One of these, or a list of them that is not empty."""

    def listed(value: Any) -> bool:
        return all(map(check, value)) and bool(value) if isinstance(value, list) else check(value)

    return listed


def several(value: Any) -> tuple[Any, ...]:
    """A list's entries, each once, or the one value."""
    return tuple(dict.fromkeys(value)) if isinstance(value, list) else (value,)


def _as_written(value: Any) -> str:
    """As TOML has it where that differs: `true`, and no lines of a table."""
    if isinstance(value, dict):
        return "{...}"
    return str(value).lower() if isinstance(value, bool) else repr(value)
