"""Commands are shown as typed, bounded in time, and take what they started with them."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from demo.command import Command, end_group, python, run_command, stride
from demo.screen import Screen
from measuring.errors import CheckError, MissingError

# Starts a child that lives on, tells its number, and waits for it.
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait(60)"])
print(child.pid, flush=True)
child.wait()
"""


def test_run_command_gives_the_exit_code_and_shows_the_line(
    capfd: pytest.CaptureFixture[str],
) -> None:
    code = run_command(python("-c", "print('hello'); exit(3)"), Screen(), timeout=60.0)

    shown = capfd.readouterr()
    assert code == 3
    assert shown.out == ""
    assert shown.err == "$ python -c 'print('\"'\"'hello'\"'\"'); exit(3)'\nhello\n"


def test_run_command_has_no_standard_input() -> None:
    assert run_command(python("-c", "import sys; sys.exit(len(sys.stdin.read()))"), Screen(),
                       timeout=60.0) == 0  # fmt: skip


def test_run_command_that_takes_too_long_is_ended() -> None:
    with pytest.raises(CheckError, match=r"was ended: it took more than 0\.3 s; run it by itself"):
        run_command(python("-c", "import threading; threading.Event().wait(60)"), Screen(),
                    timeout=0.3)  # fmt: skip


def test_end_group_takes_along_what_the_process_started() -> None:
    with subprocess.Popen(
        (sys.executable, "-c", PARENT), stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        child = os.pidfd_open(int(process.stdout.readline()))

        end_group(process)

    assert process.returncode == -signal.SIGTERM
    ended, _, _ = select.select([child], [], [], 10)  # its signal may reach it after its parent's
    os.close(child)
    assert ended


def test_stride_is_the_command_beside_the_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stride").touch()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    command = stride("verify", Path("a b"))

    assert command == Command("stride", str(tmp_path / "stride"), ("verify", "a b"))
    assert command.line == "stride verify 'a b'"
    assert command.words == (str(tmp_path / "stride"), "verify", "a b")


def test_stride_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MissingError, match=r"neither beside .* nor on the path"):
        stride("serve")
