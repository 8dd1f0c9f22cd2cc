"""The commands that the demo runs as a person would: shown as typed, bounded in time, and ended
with all they started when the demo is interrupted."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from demo.screen import Screen
from measuring.errors import CheckError, MissingError

GRACE = 5.0  # seconds between asking a command to end and ending it


@dataclass(frozen=True)
class Command:
    """`program` is what is run, `name` what a person would type for it."""

    name: str
    program: str
    arguments: tuple[str, ...]

    @property
    def line(self) -> str:
        """As a person would type it."""
        return shlex.join((self.name, *self.arguments))

    @property
    def words(self) -> tuple[str, ...]:
        """For the operating system."""
        return (self.program, *self.arguments)


def stride(*arguments: object) -> Command:
    """A `stride` command of this installation. Raises MissingError where there is none."""
    beside = Path(sys.executable).with_name("stride")
    program = str(beside) if beside.is_file() else shutil.which("stride")
    if program is None:
        raise MissingError(
            f"the command `stride` is neither beside {sys.executable} nor on the path; "
            "install the package with pip, or run: make setup"
        )
    return Command("stride", program, tuple(map(str, arguments)))


def python(*arguments: object) -> Command:
    """A script under the interpreter that runs now."""
    return Command("python", sys.executable, tuple(map(str, arguments)))


def run_command(command: Command, screen: Screen, *, timeout: float) -> int:
    """Show and run it; its exit code. What it prints goes to standard error.

    Raises CheckError when it takes more than `timeout` seconds.
    """
    screen.command(command.line)
    process = subprocess.Popen(  # noqa: S603  (words of our own, no shell)
        command.words, stdin=subprocess.DEVNULL, stdout=2, start_new_session=True
    )
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired as error:
        raise CheckError(
            f"`{command.line}` was ended: it took more than {timeout:g} s; "
            "run it by itself to see where it stays"
        ) from error
    finally:
        if process.poll() is None:
            end_group(process)


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """End a process that was started in a session of its own, and all that it started."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, signal_number)
            process.wait(GRACE)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
        else:
            break
    process.wait(GRACE)
