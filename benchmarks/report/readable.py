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


def _yes_or_no(value: Scalar) -> bool:
    return isinstance(value, bool)


_WORDS: Mapping[Check, str] = {
    _whole: "a whole number from 1",
    _number: "a number",
    _positive: "a number above 0",
    _not_negative: "a number from 0",
    _share: "a share between 0 and 1",
    _text: "text",
    _yes_or_no: "true or false",
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
    "load": {
        "model": _text, "load": _text, "batch": _whole, "images_per_second": _not_negative,
        "error_share": _share,
    },
    "goodput": {
        "model": _text, "batch": _whole, "rate": _positive, "images_per_second": _positive,
    },
    "layer": {
        **_OPERATION, "network": _text, "kind": _text, "operation": _text, "shape": _text,
        "count": _whole, "batch": _whole,
    },
    "operator": {
        **_OPERATION, "table": _text, "operator": _text, "channels": _whole, "side": _whole,
        "layers": _whole, "seconds": _positive, "seconds low": _positive,
        "seconds high": _positive,
    },
    "peak": {"what": _text, "precision": _text, "device": _text, "threads": _whole},
    "claim network": {"network": _text, "runtime": _text, "device": _text, "macs": _positive},
    "claim stage": {"network": _text, "runtime": _text, "side": _whole, "macs": _whole},
    "claim memory": {
        "network": _text, "macs": _positive, "parameters": _positive, "inference": _positive,
        "training": _positive,
    },
    "claim fit": {
        "layer": _text, "student": _text, "trained": _yes_or_no, "seed": _not_negative,
        "mse": _positive,
    },
    "claim filter centres": {"network": _text, "weights": _text, "centre_first": _share},
    "claim similarity": {"network": _text, "weights": _text, "alike": _share},
}  # fmt: skip
_PEAKS: Mapping[bool, Mapping[str, Check]] = {
    True: {"macs": _positive},  # of arithmetic
    False: {"bytes": _positive, "size": _whole},  # of memory
}
_POSSIBLE: Mapping[str, Mapping[str, Check]] = {
    "bench": {
        "ci_low": _positive, "ci_high": _positive, "accuracy": _share, "peak_rss": _whole,
        "vram": _not_negative, "cold_start": _not_negative, "energy_per_image": _not_negative,
    },
    "loadgen": {"value": _number},
    "load": {
        "ci_low": _not_negative, "ci_high": _not_negative, "rate": _positive,
        "server_cpu_per_image": _not_negative, "server_memory": _not_negative,
    },
    "goodput": {"broken_rate": _positive},
    "operator": {
        "published gpu_fps": _positive, "published cpu_ms": _positive,
        "published arm_ms": _positive, "published gpu_batches": _positive,
    },
}  # fmt: skip


def damage(record: Measurement) -> str | None:
    """What keeps the record off the page, in words; None for a whole one."""
    needed = dict(_NEEDED.get(record.name, {}))
    if record.name == "peak":
        needed |= _PEAKS[record.settings.get("what") == "gemm"]
    for name, check in needed.items():
        if (value := record.settings.get(name)) is None:
            return f"it has no {name}"
        if not check(value):
            return f"its {name} is {value!r}, expected {_WORDS[check]}"
    for name, check in _POSSIBLE.get(record.name, {}).items():
        value = record.settings.get(name)
        if value is not None and not check(value):
            return f"its {name} is {value!r}, expected {_WORDS[check]}"
    return None
