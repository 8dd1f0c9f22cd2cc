"""Into how many parts OpenVINO takes a batch.

A layer writes all of its map before the next one reads it. Where the maps of a whole batch do not
fit the last cache they go to memory and back; those of a part stay. Measured on one thread, eight
pictures: mobilenet_v2 (6 MB a picture in fp32) is 1.23 times as fast in parts of two and 1.15 times
in parts of four (bf16: 0.99 and 1.06), while shufflenet_v2_x1_0 (1.8 MB) loses 9 % and 2 %.
"""

from pathlib import Path
from typing import Any

import numpy as np

_LAYERS = {"Convolution", "GroupConvolution", "MatMul"}
_USUAL = 32 << 20
_UNITS = {"K": 10, "M": 20, "G": 30}


def parts_of(batch: int, *, threads: int, widest: int, cache: int) -> int:
    """The fewest equal parts that keep `threads` busy alike, where `batch` can be shared so, and
    of which each has its widest layer in half of the cache, where one does.

    `widest`: bytes a picture of that layer's maps, what it reads and what it writes."""
    least = threads if batch % threads == 0 else 1
    fitting = (
        parts
        for parts in range(least, batch + 1, least)
        if batch % parts == 0 and widest * (batch // parts) <= cache // 2
    )
    return next(fitting, least)


def widest_layer(model: Any, value: int) -> int:
    """Of a model for one picture: the most bytes that a convolution or product reads and writes,
    at `value` bytes a number; what depends on the input is not counted."""
    sizes = [
        _numbers(node.input(0)) + _numbers(node.output(0))
        for node in model.get_ops()
        if node.get_type_name() in _LAYERS
    ]
    return value * max(sizes, default=0)


def _numbers(port: Any) -> int:
    shape = port.get_partial_shape()
    return 0 if shape.is_dynamic else int(np.prod(shape.to_shape()))


def last_cache(devices: Path = Path("/sys/devices/system/cpu")) -> int:
    """Bytes of the largest cache that the first core sees; 32 MiB where the kernel does not say."""
    sizes = [_bytes(path.read_text()) for path in devices.glob("cpu0/cache/index*/size")]
    return max(sizes, default=0) or _USUAL


def _bytes(size: str) -> int:
    """Of a size as the kernel writes it, e.g. 32768K; 0 for one that is no such."""
    number, unit = size.strip()[:-1], size.strip()[-1:]
    return int(number) << _UNITS[unit] if number.isdigit() and unit in _UNITS else 0
