"""The project's own commands on this machine, where they and what they need are there."""

import sys
from collections.abc import Iterator
from functools import partial

from benchmarks.gpu.child import run_child
from benchmarks.gpu.step import Context, Step, StepError, StepSkippedError
from cli import COMMANDS
from measuring.record import Measurement

_MOST_SECONDS = 120
_ON_GPU = ("3", "6", "8")  # docs/claims.md: depthwise convolutions, EfficientNet, rates


def steps() -> list[Step]:
    """Operators by their own benchmark, and the claims of the papers that speak of GPUs."""
    return [
        Step("operators", "stride operators", partial(_command, "operators", ()), gpu=True),
        Step("operators", "stride claims", partial(_command, "claims", _ON_GPU), gpu=True),
    ]


def _command(
    name: str, arguments: tuple[str, ...], context: Context
) -> Iterator[list[Measurement]]:
    """Raises StepSkippedError where there is no such command yet, StepError where it fails."""
    if name not in COMMANDS:
        raise StepSkippedError(f"there is no command stride {name}")
    command = [sys.executable, "-c", "import cli; cli.main()", name, *arguments, "--quick"]
    records = context.journal.folder.resolve() / f"{name}.jsonl"
    command += ["--device", context.device, "--output", str(records)]
    done = run_child(command, context, most=_MOST_SECONDS)
    context.journal.log(f"stride {name}:\n{done.said}")
    if done.code:
        raise StepError(f"exit code {done.code}: {done.last()}")
    yield []
