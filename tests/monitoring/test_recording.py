"""A service that is driven while a Prometheus watches, by the command that makes the picture's
record."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.monitoring.needs import needs_prometheus
from tests.tiny import write_tiny


@needs_prometheus
@pytest.mark.full
def test_recording_keeps_what_was_reported_and_what_was_shown(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    target = tmp_path / "record.json"
    done = subprocess.run(
        [sys.executable, "-m", "monitoring.recording", "--repository", str(tmp_path),
         "--model", "tiny-onnx-fp32", "--seconds", "3", str(target)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    record = json.loads(target.read_text(encoding="utf-8"))
    run = record["runs"][0]
    assert run["errors"] == {}
    assert 0 < run["computed"]["p50"] < 1
    assert {query["dashboard"] for query in record["panels"]} == {"overview", "latency"}
    p50 = next(q for q in record["panels"] if q["panel"] == "p50 and p99")
    assert p50["series"][0]["points"]
