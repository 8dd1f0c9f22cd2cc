import mmap
import os
from pathlib import Path

import pytest

from measuring.memory import available_memory, memory


def test_memory_grows_with_what_is_held() -> None:
    before = memory(os.getpid())
    if before is None:
        pytest.skip("the kernel does not show /proc/PID/status")
    size = 16 << 20
    with mmap.mmap(-1, size) as held:  # of its own: malloc may have as much from others before
        held.write(b"\1" * size)
        after = memory(os.getpid())
    assert after is not None
    assert after.peak >= after.resident > 0
    assert after.peak >= before.peak
    assert after.resident - before.resident > size // 2


def test_memory_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert memory(1, proc=tmp_path) is None
    assert available_memory(proc=tmp_path) is None


def test_available_memory_is_in_bytes(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 10 kB\nMemAvailable:    4 kB\n")
    assert available_memory(proc=tmp_path) == 4096
