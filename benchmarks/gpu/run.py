"""Goes through the steps: what is finished is left out, what fails is noted, the next goes on."""

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from benchmarks.gpu.device import free
from benchmarks.gpu.journal import Entry, Outcome
from benchmarks.gpu.plan import STAGES, missing
from benchmarks.gpu.step import Context, OutOfTimeError, Step, StepSkippedError

Report = Callable[[Entry], None]
Clock = Callable[[], float]


def run(
    steps: Sequence[Step],
    context: Context,
    *,
    budgets: Mapping[str, float],
    most: float,
    report: Report,
    clock: Clock = time.monotonic,
) -> list[Entry]:
    """How each step ended, but for those that an earlier run finished.

    `budgets`: seconds of each stage, STAGES' own where it names none; `most`: seconds of the whole.
    A step that has begun may go on to its next measurement, so both can be passed by one; commands
    that a step runs are ended with the whole.
    """
    ended: list[Entry] = []
    started = clock()
    context = replace(context, left=lambda: max(0.0, started + most - clock()))
    stage_started: dict[str, float] = {}
    for step in steps:
        if context.journal.finished(step.stage, step.name):
            continue
        begun = stage_started.setdefault(step.stage, clock())
        budget = budgets.get(step.stage, STAGES[step.stage].seconds)
        deadline = min(begun + budget, started + most)
        ended.append(_attempt(step, context, deadline, clock))
        report(ended[-1])
    return ended


def _attempt(step: Step, context: Context, deadline: float, clock: Clock) -> Entry:
    begun = clock()
    outcome, message = _outcome(step, context, deadline, clock)
    try:
        free(context.device)
    except Exception as error:  # noqa: BLE001  (a GPU that failed fails every call after it)
        message = f"{message}; {_in_a_line(error)}"
    return context.journal.end(step.stage, step.name, outcome, clock() - begun, message)


def _outcome(step: Step, context: Context, deadline: float, clock: Clock) -> tuple[Outcome, str]:
    if reason := missing(step, context.device):
        return "skipped", reason
    if clock() >= deadline:
        return "out of time", "not begun"
    found = 0
    try:
        for part in step.run(replace(context, late=lambda: clock() >= deadline)):
            if part:
                context.journal.add(part)
            found += len(part)
    except StepSkippedError as error:
        return "skipped", str(error)
    except OutOfTimeError as error:
        return "out of time", str(error)
    except Exception as error:  # noqa: BLE001  (whatever it is, the other steps are worth having)
        context.journal.log(f"{step.stage}: {step.name}\n{traceback.format_exc()}")
        return "failed", _in_a_line(error)
    return "done", f"{found} records"


def _in_a_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:400]}" if text else type(error).__name__
