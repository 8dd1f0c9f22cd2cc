"""What `stride report` is asked for, from the text of its options."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from measuring.errors import InputError

if TYPE_CHECKING:
    from benchmarks.recommend_requirements import Requirements

RESULTS = Path("results")
SLO, RATE = "p99=20ms", 100.0
"""What is assumed where nothing was asked for; the page says so."""
_SLO = re.compile(r"p(\d+(?:\.\d+)?)\s*<?=\s*(\d+(?:\.\d+)?)\s*(us|ms|s)", re.ASCII)
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*(%?)", re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?i?b)?", re.ASCII | re.IGNORECASE)
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3}


@dataclass(frozen=True)
class Slo:
    """`percentile` percent of requests take no more than `seconds`."""

    percentile: float
    seconds: float


def slo(text: str) -> Slo:
    """`p99=20ms`. Raises InputError for anything else."""
    found = _SLO.fullmatch(text.strip())
    bound = Slo(float(found[1]), float(found[2]) * _SECONDS[found[3]]) if found else None
    if bound is None or not 0.0 < bound.percentile < 100.0 or not bound.seconds > 0.0:
        raise InputError(
            f"--slo {text!r} is no bound, expected a percentile and a time above 0 with its unit, "
            "such as p99=20ms or p99.9=1s"
        )
    return bound


def share(text: str) -> float:
    """`75%` or `0.75` -> 0.75. Raises InputError for what is no share."""
    found = _SHARE.fullmatch(text.strip())
    value = float(found[1]) / (100.0 if found[2] else 1.0) if found else math.nan
    if not 0.0 <= value <= 1.0:
        raise InputError(
            f"--accuracy {text!r} is no share of right answers, expected e.g. 75% or 0.75"
        )
    return value


def size(text: str) -> int:
    """`500MB`, `2GiB` or bytes. Raises InputError for anything else."""
    found = _SIZE.fullmatch(text.strip())
    unit = (found[2] or "b").lower().removesuffix("b") if found else ""
    base = 1024 if unit.endswith("i") else 1000
    value = int(float(found[1]) * base ** _POWERS[unit.removesuffix("i")]) if found else 0
    if value <= 0 or unit == "i":
        raise InputError(f"--memory {text!r} is no size above 0, expected e.g. 500MB or 2GiB")
    return value


def requirements(values: dict[str, Any], around: float) -> "Requirements":
    """From the options' texts; `around`: seconds of a request outside of the engines' queue."""
    from benchmarks.recommend_requirements import Requirements

    bound = slo(values["slo"] or SLO)
    rate = RATE if values["rate"] is None else values["rate"]
    if not 0.0 < rate < math.inf:
        raise InputError(f"--rate is {rate:g}, expected requests per second above 0")
    return Requirements(
        slo=bound.seconds,
        percentile=bound.percentile,
        rate=rate,
        accuracy=None if values["accuracy"] is None else share(values["accuracy"]),
        memory=None if values["memory"] is None else size(values["memory"]),
        devices=tuple(values["devices"]) or None,
        prefer=values["prefer"],
        around=around,
    )


def asked_for(values: dict[str, Any]) -> bool:
    """Whether any bound was given, so that missing it is a failure."""
    return any(
        values[name] not in (None, ()) for name in ("slo", "rate", "accuracy", "memory", "devices")
    )


def assumptions(values: dict[str, Any]) -> list[str]:
    """What was not given, in a sentence."""
    assumed = []
    if values["slo"] is None:
        assumed.append(f"--slo {SLO}")
    if values["rate"] is None:
        assumed.append(f"--rate {RATE:g}")
    if not assumed:
        return []
    return [f"Assumed, since nothing else was asked for: {' '.join(assumed)}."]


def command_line(values: dict[str, Any], directory: Path = RESULTS) -> str:
    """The command that makes the same report of the same records."""
    parts = ["stride report"]
    if directory != RESULTS:
        parts.append(f"--results {quote(str(directory))}")
    for name in ("slo", "rate", "accuracy", "memory", "run", "against"):
        if values[name] is not None:
            value = f"{values[name]:g}" if name == "rate" else values[name]
            parts.append(f"--{name} {value}")
    parts += [f"--device {device}" for device in values["devices"]]
    if values["prefer"] != "accuracy":
        parts.append(f"--prefer {values['prefer']}")
    if values["invalid"]:
        parts.append("--invalid")
    return " ".join(parts)
