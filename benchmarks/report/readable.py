"""What a record must say to be on the page: a damaged one is named and left out, not a crash."""

import math
from collections.abc import Callable, Mapping

from measuring.record import Measurement, Scalar

Check = Callable[[Scalar], bool]


def _whole(value: Scalar) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _positive(value: Scalar) -> bool:
    return _number(value) and float(str(value)) > 0.0


def _not_negative(value: Scalar) -> bool:
    return _number(value) and float(str(value)) >= 0.0


def _share(value: Scalar) -> bool:
    return _number(value) and 0.0 <= float(str(value)) <= 1.0


def _text(value: Scalar) -> bool:
    return isinstance(value, str) and bool(value)


_WORDS: Mapping[Check, str] = {
    _whole: "a whole number from 1",
    _number: "a number",
    _positive: "a number above 0",
    _not_negative: "a number from 0",
    _share: "a share between 0 and 1",
    _text: "text",
}
_WAY: Mapping[str, Check] = {
    "artifact": _text, "network": _text, "precision": _text, "runtime": _text, "device": _text,
    "threads": _whole, "instances": _whole,
}  # fmt: skip
_OPERATION: Mapping[str, Check] = {
    "runtime": _text, "device": _text, "threads": _whole, "macs": _not_negative, "bytes": _positive,
}  # fmt: skip
_NEEDED: Mapping[str, Mapping[str, Check]] = {
    "bench": {**_WAY, "batch": _whole, "images_per_second": _positive},
    "fit": {**_WAY, "t0": _not_negative, "per_image": _not_negative, "residual": _not_negative},
    "stage": {"model": _text, "stage": _text},
    "serving": {"requests": _not_negative, "seconds": _positive},
    "layer": {
        **_OPERATION, "network": _text, "kind": _text, "operation": _text, "shape": _text,
        "count": _whole, "batch": _whole,
    },
    "operator": {
        **_OPERATION, "table": _text, "operator": _text, "channels": _whole, "side": _whole,
        "seconds": _positive, "seconds low": _positive, "seconds high": _positive,
    },
    "peak": {"what": _text, "precision": _text, "device": _text, "threads": _whole},
}  # fmt: skip
_POSSIBLE: Mapping[str, Mapping[str, Check]] = {
    "bench": {
        "ci_low": _positive, "ci_high": _positive, "accuracy": _share, "peak_rss": _whole,
        "vram": _not_negative, "cold_start": _not_negative, "energy_per_image": _not_negative,
    },
    "loadgen": {"value": _number},
}  # fmt: skip


def damage(record: Measurement) -> str | None:
    """What keeps the record off the page, in words; None for a whole one."""
    for name, check in _NEEDED.get(record.name, {}).items():
        if (value := record.settings.get(name)) is None:
            return f"it has no {name}"
        if not check(value):
            return f"its {name} is {value!r}, expected {_WORDS[check]}"
    for name, check in _POSSIBLE.get(record.name, {}).items():
        value = record.settings.get(name)
        if value is not None and not check(value):
            return f"its {name} is {value!r}, expected {_WORDS[check]}"
    return None
