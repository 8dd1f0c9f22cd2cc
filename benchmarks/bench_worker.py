"""The process that holds the engines of one candidate, so that no other's threads, memory or
libraries are in its way. Requests come in on standard input, answers leave on standard output.

    python -m benchmarks.bench_worker
"""

import os
import sys
from io import BufferedWriter

from pydantic import TypeAdapter

from benchmarks.bench_held import Held
from benchmarks.bench_messages import Answer, Request
from measuring.errors import StrideError


def main() -> None:
    """Answers until its input ends."""
    requests, answers = TypeAdapter(Request), TypeAdapter(Answer)
    output, held = _own_output(), Held()
    try:
        for line in sys.stdin.buffer:
            output.write(answers.dump_json(_answer(held, requests.validate_json(line))) + b"\n")
            output.flush()
    finally:
        held.close()


def _answer(held: Held, request: Request) -> Answer:
    try:
        if request.open:
            return Answer(opened=held.open(request.open))
        if request.visit:
            return Answer(visited=held.visit(request.visit))
        if request.classify:
            return Answer(classified=held.classify(request.classify))
        if request.loadgen:
            return Answer(loadgen=held.drive(request.loadgen))
    except StrideError as error:
        return Answer(failed=str(error))
    return Answer(failed="a request for nothing")


def _own_output() -> BufferedWriter:
    """The pipe for answers; what libraries print goes to standard error instead."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


if __name__ == "__main__":
    main()
