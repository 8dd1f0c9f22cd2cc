"""locust as people start it: a process of its own, whose tables are read when it has ended."""

import csv
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCUSTFILE = str(ROOT / "loadtest" / "locustfile.py")
LOCUST = str(Path(sys.executable).with_name("locust"))


@dataclass(frozen=True)
class Ended:
    """`rows` by type and name, as `failures` by their text: how often."""

    code: int
    log: str
    rows: dict[tuple[str, str], dict[str, str]]
    failures: dict[str, int]
    html: str

    def requests(self, name: str, kind: str = "POST") -> int:
        return int(self.rows[kind, name]["Request Count"])


class LocustProcess:
    """Starts at once; `folder` takes its tables. From the checkout as in the documents, or from
    `folder`, where only what is installed can be imported."""

    def __init__(
        self, folder: Path, *arguments: str, tables: bool = True, installed: bool = False
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        files = ("--csv", str(folder / "run"), "--html", str(folder / "run.html"))
        self._log = (folder / "log").open("w+b")
        self.process = subprocess.Popen(
            [
                *(LOCUST, "-f", LOCUSTFILE if installed else "loadtest/locustfile.py"),
                *(*arguments, *(files if tables else ())),
            ],
            cwd=ROOT, stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip

    @property
    def log(self) -> str:
        return os.pread(self._log.fileno(), 1 << 22, 0).decode()

    def wait(self, seconds: float = 60.0) -> Ended:
        try:
            code = self.process.wait(seconds)
        finally:
            self.kill()
        html = self._folder / "run.html"
        ended = Ended(
            code,
            self.log,
            {(row["Type"], row["Name"]): row for row in self._read("run_stats.csv")},
            {row["Error"]: int(row["Occurrences"]) for row in self._read("run_failures.csv")},
            html.read_text("utf-8") if html.exists() else "",
        )
        self.close()
        return ended

    def kill(self) -> None:
        """Harmless when it has ended."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Of one that nobody waited for, too."""
        self.kill()
        self._log.close()

    def _read(self, name: str) -> Sequence[dict[str, str]]:
        path = self._folder / name
        if not path.exists():
            return []
        with path.open(newline="") as file:
            return list(csv.DictReader(file))
