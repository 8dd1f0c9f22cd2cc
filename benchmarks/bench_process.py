"""A process with the engines of one candidate, seen from outside."""

import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter, ValidationError

from benchmarks.bench_messages import Answer, OpenRequest, Request
from benchmarks.bench_plan import Candidate
from measuring.errors import StrideError

LONGEST = 900.0
"""Seconds that an answer may take; some runtimes compile for minutes when they open."""
_ROOT = Path(__file__).parent.parent
_REQUEST, _ANSWER = TypeAdapter(Request), TypeAdapter(Answer)


class CandidateError(StrideError):
    """A candidate that cannot be opened, or failed while it was timed."""


class EngineProcess:
    """Started at once; `ask` may be called as often as it answers."""

    def __init__(self, candidate: Candidate, batches: tuple[int, ...], pictures: Path) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed in `close`
        self.request = OpenRequest(
            directory=candidate.directory,
            runtime=candidate.runtime,
            device=candidate.device,
            threads=candidate.threads,
            instances=candidate.instances,
            batches=batches,
            pictures=str(pictures),
            spawned=time.perf_counter(),
        )
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "benchmarks.bench_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ | {"PYTHONPATH": _search_path()},
            start_new_session=True,  # an interrupt at the terminal is for us; we end it
        )

    def ask(self, request: Request, *, longest: float = LONGEST) -> Answer:
        """Raises CandidateError for a failure, and for no answer within `longest` seconds."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None  # noqa: S101  both are pipes
        assert stdout is not None  # noqa: S101
        try:
            stdin.write(_REQUEST.dump_json(request) + b"\n")
            stdin.flush()
            if not select.select([stdout], [], [], longest)[0]:
                raise CandidateError(f"no answer within {longest:.0f} s")
            answer = _ANSWER.validate_json(stdout.readline())
        except (OSError, ValidationError) as error:
            raise CandidateError(self._end()) from error
        if answer.failed is not None:
            raise CandidateError(answer.failed)
        return answer

    def close(self) -> None:
        """Ends the process; harmless when it has ended."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # what was not yet written has nobody to read it
                    continue
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end(self) -> str:
        """How it ended, and the last thing it said."""
        try:
            code = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            return "its process answered what is no answer"
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        killed = "; was there too little memory?" if code == -9 else ""
        return f"its process ended with {how}{': ' + said[-1] if said else ''}{killed}"


def _search_path() -> str:
    return os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
