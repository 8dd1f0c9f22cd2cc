"""Reading an input spec from a TOML file, for weights whose preprocessing nobody published."""

import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from measuring.errors import InputError
from measuring.input_spec import InputSpec

_KEYS = tuple(field.name for field in fields(InputSpec))


def read_input_spec(path: str | Path) -> InputSpec:
    """The keys are the fields of InputSpec, and what is left out keeps its default, except
    `resize`: without it the shorter side becomes 256/224 of `size`, the usual margin.

    Raises InputError for a file that cannot be read, is not TOML, or has a key or value that is
    no part of an input spec.
    """
    path = Path(path)
    values = _read_table(path)
    if unknown := sorted(set(values) - set(_KEYS)):
        raise InputError(
            f"input spec {path}: unknown key {', '.join(unknown)}; allowed: {', '.join(_KEYS)}"
        )
    for key, value in values.items():
        accepts, expected = _TYPES[key]
        if not accepts(value):
            raise InputError(f"input spec {path}: {key} is {value!r}, expected {expected}")
    if isinstance(size := values.get("size"), int):
        values.setdefault("resize", round(size * 256 / 224))
    for key in ("mean", "std"):
        if isinstance(channels := values.get(key), list):
            values[key] = tuple(float(channel) for channel in channels)
    try:
        return InputSpec(**values)  # type: ignore[arg-type]
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _read_table(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"input spec {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"input spec {path} is not TOML: {error}; expected lines such as size = 224"
        ) from error


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6


def _is_channels(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(_is_number(channel) for channel in value)
    )


_INTEGER = (_is_integer, "a whole number of pixels")
_CHANNELS = (_is_channels, "three numbers below a million, one per RGB channel")
_TYPES: dict[str, tuple[Callable[[object], bool], str]] = {
    "size": _INTEGER,
    "resize": _INTEGER,
    "interpolation": (_is_text, "a name in quotes"),
    "mean": _CHANNELS,
    "std": _CHANNELS,
    "crop": (_is_text, "a name in quotes"),
}
