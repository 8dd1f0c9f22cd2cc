"""How much memory a piece of code took at its highest, native memory included."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inference.decode import BYTES_PER_PIXEL

MEASURED = sys.platform == "linux"
SLACK = 4 << 20  # what the interpreter and the allocator take at a time


@contextmanager
def bounded_memory(pixels: int, file_size: int) -> Iterator[None]:
    """Fails where decoding took more than inference/decode.py states."""
    taken: list[int] = []
    with measured_memory(taken):
        yield
    bound = BYTES_PER_PIXEL * pixels + 3 * file_size + SLACK
    assert taken[0] <= bound, f"{taken[0]:,} bytes, expected at most {bound:,}"


@contextmanager
def measured_memory(taken: list[int]) -> Iterator[None]:
    """Appends how many bytes more than before were in memory at the highest; 0 off Linux."""
    if MEASURED:
        Path("/proc/self/clear_refs").write_text("5")  # the highest starts from now
    before = _bytes("VmRSS")
    yield
    taken.append(_bytes("VmHWM") - before)


def give_memory_back() -> None:
    """What was freed goes to the system, so that using it again counts."""
    if MEASURED:
        ctypes.CDLL(None).malloc_trim(0)


def _bytes(field: str) -> int:
    if not MEASURED:
        return 0
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = (text for text in status if text.startswith(field))
    return int(line.split()[1]) << 10
