"""NVIDIA's perf_analyzer, unmodified, where scripts/install-perf-analyzer could get it."""

import csv
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[3] / ".perf-analyzer"
BINARY = FOLDER / "perf_analyzer"
INSTALLED = BINARY.exists()
RUNS = 3
_NETWORK = {7, 23, 232, 270, 271, 281}
"""System calls of Linux on x86_64 that wait for others: poll, select, epoll_wait and their like."""
_COUNT = re.compile(r"(Request|Inference|Successful request) count: (\d+)")


@dataclass(frozen=True)
class Report:
    """`rows` of its table by their column's name; `counts`, as printed for each load: requests of
    the client, inferences and requests of the server."""

    rows: list[dict[str, str]]
    counts: list[tuple[int, int, int]]


def analyse(
    url: str,
    table: Path,
    *arguments: str,
    begin: Callable[[], object] = lambda: None,
    patience: float = 60.0,
) -> Report:
    """One run against the model `small`, `begin` called before. Raises AssertionError where it
    waits for an answer beyond `patience`, seconds.

    It wakes its threads without holding their lock (its `ResumeWorkers`), so once in a while one
    sleeps forever and the run with it, waiting for nobody; then it is run again.
    """
    address = url.removeprefix("http://")
    command = [str(BINARY), "-m", "small", "-u", address, "-f", str(table), "--verbose-csv"]
    for _ in range(RUNS):
        begin()
        with subprocess.Popen(
            [*command, *arguments],
            env=os.environ | {"LD_LIBRARY_PATH": str(FOLDER)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as process:  # fmt: skip
            try:
                output, _ = process.communicate(timeout=patience)
                break
            except subprocess.TimeoutExpired:
                waiting = _waits_for_an_answer(process.pid)
                process.kill()
                output, _ = process.communicate()
        assert not waiting, f"no answer within {patience:.0f} s\n{output[-3000:]}"
    else:
        raise AssertionError(f"it hung {RUNS} times, waiting for nobody\n{output[-3000:]}")
    assert process.returncode == 0, output[-3000:]
    assert "rror" not in output, output[-3000:]
    found = [int(number) for _, number in _COUNT.findall(output)]
    assert len(found) % 3 == 0, output[-3000:]
    counts = [(found[i], found[i + 1], found[i + 2]) for i in range(0, len(found), 3)]
    with table.open(newline="") as file:
        return Report(list(csv.DictReader(file)), counts)


def _waits_for_an_answer(pid: int) -> bool:
    """Whether a thread of it waits at a connection, by the system call that it is in; true where
    the kernel does not tell."""
    try:
        tasks = Path(f"/proc/{pid}/task").glob("*/syscall")
        calls = [file.read_text().split()[0] for file in tasks]
    except OSError:
        return True
    return any(call.isdigit() and int(call) in _NETWORK for call in calls)
