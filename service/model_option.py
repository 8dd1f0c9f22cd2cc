"""Reads `--model`."""

import math
import re
from typing import Any, get_args

from measuring.errors import InputError
from service.settings import Batching, ModelSpec, PolicyName

POLICIES: tuple[PolicyName, ...] = get_args(PolicyName)
_TEXTS = ("runtime", "device")
_COUNTS = ("instances", "threads", "max_batch")
_SECONDS = ("delay", "slo")
_NEEDED: dict[PolicyName, str] = {"delay": "delay", "slo": "slo"}
_EXPECTED = (
    "[ALIAS=]ID[:runtime=..,device=..,instances=..,threads=..,max_batch=..,policy=..,delay=..,"
    "slo=..]"
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DURATION = re.compile(r"(\d{1,6}(?:\.\d{0,9})?|\.\d{1,9})(us|ms|s)?")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, None: 1.0}
LONGEST = 60.0
"""Seconds of a delay or of an SLO."""


def is_name(text: str) -> bool:
    """Whether it could be the id, plain name or alias of a model."""
    return _NAME.fullmatch(text) is not None


def parse_model(text: str) -> ModelSpec:
    """`[ALIAS=]ID[:key=value,...]` -> ModelSpec; raises InputError that shows the form."""
    name, _, options = text.partition(":")
    alias, has_alias, identity = name.rpartition("=")
    if not is_name(identity) or (has_alias and not is_name(alias)):
        raise InputError(f"--model {text!r}: no model id there; expected {_EXPECTED}")
    values = dict(_option(text, part) for part in options.split(",") if part)
    batching = _batching(text, {k: values.pop(k) for k in ("policy", *_SECONDS) if k in values})
    return ModelSpec(identity, alias or None, batching=batching, **values)


def _option(text: str, part: str) -> tuple[str, Any]:
    key, _, value = part.partition("=")
    if not value or key not in (*_TEXTS, *_COUNTS, *_SECONDS, "policy"):
        raise InputError(f"--model {text!r}: cannot read {part!r}; expected {_EXPECTED}")
    if key in _COUNTS:
        return key, _count(text, part, value)
    if key in _SECONDS:
        return key, _duration(text, part, value)
    if key == "policy" and value not in POLICIES:
        raise InputError(f"--model {text!r}: {part} is none of {', '.join(POLICIES)}")
    return key, value


def _count(text: str, part: str, value: str) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= 4096:
        raise InputError(f"--model {text!r}: {part} is no number from 1 to 4096")
    return int(value)


def _duration(text: str, part: str, value: str) -> float:
    found = _DURATION.fullmatch(value)
    seconds = float(found[1]) * _UNITS[found[2]] if found else math.nan
    if not 0.0 < seconds <= LONGEST:
        raise InputError(
            f"--model {text!r}: {part} is no time above 0 and up to {LONGEST:g} seconds; "
            "expected e.g. 0.02 or 20ms"
        )
    return seconds


def _batching(text: str, values: dict[str, Any]) -> Batching:
    """A time that the policy does not use is a mistake, and so is one that it lacks."""
    policy: PolicyName = values.get("policy", "work-conserving")
    needed = {_NEEDED[policy]} if policy in _NEEDED else set()
    given = values.keys() & set(_SECONDS)
    if missing := needed - given:
        raise InputError(f"--model {text!r}: policy={policy} needs {missing.pop()}=SECONDS")
    if extra := given - needed:
        key = extra.pop()
        raise InputError(
            f"--model {text!r}: {key} is for policy={key}, and this is policy={policy}; "
            f"add policy={key} or leave {key} out"
        )
    return Batching(**values)
