"""Commands that a step runs to their end, as far as the suite's time goes."""

import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.gpu.step import Context, OutOfTimeError, StepError
from benchmarks.pages import ROOT


@dataclass(frozen=True)
class Ended:
    """The exit code, and what was said on both outputs, each after the other."""

    code: int
    said: str

    def last(self) -> str:
        """The last line that says something."""
        lines = [line.strip() for line in self.said.splitlines() if line.strip()]
        return lines[-1] if lines else "no output"


def run_child(command: Sequence[str], context: Context, *, most: float) -> Ended:
    """In the source tree. What has not ended after `most` seconds is killed with all that it has
    started: StepError, or OutOfTimeError where the time of the whole suite was up before."""
    left = context.left()
    process = subprocess.Popen(  # noqa: S603  (words of our own, no shell)
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        said = process.communicate(timeout=min(most, left))
    except subprocess.TimeoutExpired as error:
        if left < most:
            raise OutOfTimeError("the command had not ended") from error
        raise StepError(f"the command had not ended after {most:.0f} s") from error
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return Ended(process.returncode, "\n".join(said))
