"""What TensorRT measured while it built plans, kept between builds: a second build of the same
layers takes a fraction of the time. Losing it costs time and nothing else."""

import contextlib
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

# Those of image classifiers are some megabytes; a larger file is not read into memory.
_MOST_BYTES = 256 << 20


def timing_cache_path(facts: Mapping[str, str], folder: Path | None = None) -> Path:
    """One file for each GPU, driver and TensorRT version: timings of another mean nothing.

    `folder` defaults to `tensorrt` in `$STRIDE_CACHE`, else in `$XDG_CACHE_HOME/stride`, else in
    `~/.cache/stride`.
    """
    keys = ("gpu", "compute_capability", "driver", "tensorrt")
    name = "-".join(re.sub(r"[^a-z0-9.]+", "_", facts[key].lower()) for key in keys)
    return (folder or _default_folder()) / f"{name}.timing"


def read_timing_cache(path: Path) -> bytes:
    """Empty where there is none that can be read: TensorRT then starts a new one."""
    try:
        return path.read_bytes() if path.stat().st_size <= _MOST_BYTES else b""
    except OSError:
        return b""


def write_timing_cache(path: Path, data: bytes) -> bool:
    """Whole or not at all, also with other builds at work; False where it cannot be kept."""
    partial = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        return False
    return True


def _default_folder() -> Path:
    if own := os.environ.get("STRIDE_CACHE"):
        return Path(own) / "tensorrt"
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "stride" / "tensorrt"
