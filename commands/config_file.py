"""`--config`: a TOML file whose keys are the options of the command. Its values are checked as
those on the command line are, and a wrong one is reported with its file and key."""

import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from measuring.errors import InputError


def read_config(ctx: click.Context, own: click.Parameter, path: Path | None) -> Path | None:
    """Callback of the option itself (`own`): what the file says becomes the defaults of the others.

    Raises InputError for a file that cannot be read and for an unknown key or a wrong value.
    """
    if path is None:
        return None
    options = {str(option.name): option for option in ctx.command.params if option is not own}
    values = {key.replace("-", "_"): value for key, value in _read_table(path).items()}
    if unknown := sorted(set(values) - set(options)):
        raise InputError(
            f"--config {path}: unknown {', '.join(unknown)}; "
            f"expected some of {', '.join(sorted(options))}"
        )
    for key, value in values.items():
        values[key] = _checked(ctx, options[key], value, path)
    ctx.default_map = {**(ctx.default_map or {}), **values}
    return path


def _read_table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"--config {path} cannot be read: {reason}; expected TOML") from error


def _checked(ctx: click.Context, option: click.Parameter, value: Any, path: Path) -> Any:
    """The value as the option takes it: a list for one that may be repeated."""
    where = f"--config {path}: {option.name} is {value!r}"
    accepts, expected = _form(option)
    given = value if option.multiple and isinstance(value, list) else [value]
    if not all(map(accepts, given)):
        raise InputError(f"{where}, expected {expected}")
    taken = given if option.multiple else value
    try:
        option.type_cast_value(ctx, taken)
    except click.BadParameter as error:
        raise InputError(f"{where}: {error.message}") from error
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    return taken


def _form(option: click.Parameter) -> tuple[Callable[[Any], bool], str]:
    """Which values of TOML the option takes, and how to say so."""
    if option.multiple:
        return _is_text, "text in quotes, or a list of such"
    if isinstance(option.type, click.types.BoolParamType):
        return _is_truth, "true or false"
    if isinstance(option.type, click.types.IntParamType):
        return _is_integer, "a whole number"
    if isinstance(option.type, click.types.FloatParamType):
        return _is_number, "a number"
    return _is_text, "text in quotes"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
