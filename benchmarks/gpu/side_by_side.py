"""Several processes of ours at once, with an end to waiting for them."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from os import environ

from benchmarks.gpu.journal import Journal


def run_side_by_side(
    commands: Mapping[str, Sequence[str]],
    journal: Journal,
    *,
    threads: int,
    most: float,
) -> dict[str, str]:
    """`python -m` each command, all at once; what failed, by name, with its last line.

    After `most` seconds those that still run are ended. Everything they said is in the log.
    """
    environment = {
        **environ,
        "OMP_NUM_THREADS": str(threads),
        "TORCHINDUCTOR_COMPILE_THREADS": str(threads),
    }
    deadline = time.monotonic() + most
    failed: dict[str, str] = {}
    with ExitStack() as stack:
        started = {}
        for name, command in commands.items():
            said = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
            process = subprocess.Popen(  # noqa: S603  (our own modules)
                [sys.executable, "-m", *command],
                stdout=said,
                stderr=subprocess.STDOUT,
                env=environment,
            )
            started[name] = (process, said)
        for name, (process, said) in started.items():
            late = _ended(process, deadline)
            said.seek(0)
            text = said.read()
            journal.log(f"{name}:\n{text}")
            if late:
                failed[name] = f"not done after {most:.0f} s"
            elif process.returncode:
                failed[name] = (text.strip().splitlines() or ["no output"])[-1]
    return failed


def _ended(process: "subprocess.Popen[bytes]", deadline: float) -> bool:
    """Wait for it; whether it had to be ended."""
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False
