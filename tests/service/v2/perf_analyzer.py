"""NVIDIA's perf_analyzer, unmodified, where scripts/install-perf-analyzer could get it."""

import csv
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[3] / ".perf-analyzer"
BINARY = FOLDER / "perf_analyzer"
INSTALLED = BINARY.exists()
_COUNT = re.compile(r"(Request|Inference|Successful request) count: (\d+)")


@dataclass(frozen=True)
class Report:
    """`rows` of its table by their column's name; `counts`, as printed for each load: requests of
    the client, inferences and requests of the server."""

    rows: list[dict[str, str]]
    counts: list[tuple[int, int, int]]


def analyse(url: str, table: Path, *arguments: str) -> Report:
    """One run against the model `small`."""
    address = url.removeprefix("http://")
    done = subprocess.run(
        [str(BINARY), "-m", "small", "-u", address, "-f", str(table), "--verbose-csv", *arguments],
        env=os.environ | {"LD_LIBRARY_PATH": str(FOLDER)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-3000:]
    assert "rror" not in output, output[-3000:]
    found = [int(number) for _, number in _COUNT.findall(output)]
    assert len(found) % 3 == 0, output[-3000:]
    counts = [(found[i], found[i + 1], found[i + 2]) for i in range(0, len(found), 3)]
    with table.open(newline="") as file:
        return Report(list(csv.DictReader(file)), counts)
