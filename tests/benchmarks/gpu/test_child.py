"""Commands of a step end with the suite's time, and with them what they have started."""

import math
import sys
from pathlib import Path

import pytest

from benchmarks.gpu.child import run_child
from benchmarks.gpu.journal import Journal
from benchmarks.gpu.scale import REHEARSAL
from benchmarks.gpu.step import Context, OutOfTimeError, StepError
from tests.service.frontends.several import alive
from tests.service.test_watch import wait_for

# Starts another one, says its number where it is asked to, and waits for ever with it.
HANGING = """
import pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
child.wait()
"""


def context(folder: Path, *, left: float = math.inf) -> Context:
    return Context("cpu", REHEARSAL, Journal(folder), folder, left=lambda: left)


def test_command_is_told_with_its_code_and_its_last_line(tmp_path: Path) -> None:
    code = "import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)"
    ended = run_child([sys.executable, "-c", code], context(tmp_path), most=60.0)
    assert (ended.code, ended.said.split(), ended.last()) == (3, ["one", "two"], "two")
    assert run_child(["true"], context(tmp_path), most=60.0).last() == "no output"


@pytest.mark.parametrize(
    ("most", "left", "error", "told"),
    [
        pytest.param(3.0, math.inf, StepError, "not ended after 3 s", id="of-the-command"),
        pytest.param(60.0, 3.0, OutOfTimeError, "had not ended", id="of-the-suite"),
    ],
)
def test_command_without_an_end_is_killed_with_what_it_started(
    tmp_path: Path, most: float, left: float, error: type[Exception], told: str
) -> None:
    number = tmp_path / "pid"
    command = [sys.executable, "-S", "-c", HANGING, str(number)]
    with pytest.raises(error, match=told):
        run_child(command, context(tmp_path, left=left), most=most)
    started = int(number.read_text())
    wait_for(lambda: not alive(started))  # it has been killed; it ends a moment later
