"""The stages in order, and what of them can be done here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from benchmarks.gpu import (
    claims,
    commands_here,
    energy,
    engines,
    facts,
    kernels,
    onnx_engines,
    packages,
    peaks,
    plans,
    prepare,
    selftest,
    serving,
    serving_locust,
)
from benchmarks.gpu.step import Context, Step
from measuring.errors import InputError


@dataclass(frozen=True)
class Stage:
    """`seconds`: no step of it is begun after so many."""

    steps: Callable[[Context], list[Step]]
    seconds: float


# Speed is measured when nothing else runs, and what matters most comes first.
STAGES: dict[str, Stage] = {
    "fingerprint": Stage(lambda _: facts.steps(), 20),
    "prepare": Stage(prepare.steps, 150),
    "peaks": Stage(lambda _: peaks.steps(), 30),
    "engines": Stage(engines.steps, 150),
    "profile": Stage(kernels.steps, 40),
    "selftest": Stage(selftest.steps, 120),
    "claims": Stage(claims.steps, 60),
    "energy": Stage(energy.steps, 40),
    "compiled": Stage(engines.compiled_steps, 150),
    "aoti": Stage(packages.steps, 150),
    "onnxruntime": Stage(onnx_engines.steps, 120),
    "tensorrt": Stage(plans.steps, 150),
    "operators": Stage(lambda _: commands_here.steps(), 60),
    "http": Stage(lambda context: [*serving.steps(context), *serving_locust.steps(context)], 240),
}


def chosen(names: Sequence[str]) -> list[str]:
    """In the order of STAGES; all of them for none. Raises InputError for one that is none."""
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        raise InputError(f"unknown stage {unknown[0]!r}, expected one of {', '.join(STAGES)}")
    return [name for name in STAGES if name in names or not names]


def planned(names: Sequence[str], context: Context) -> list[Step]:
    """Every step of the chosen stages."""
    return [step for name in chosen(names) for step in STAGES[name].steps(context)]


def missing(step: Step, device: str) -> str | None:
    """Why the step cannot be done here; None where nothing is in its way."""
    if step.gpu and device != "cuda":
        return "needs a GPU"
    absent = [module for module in step.needs if find_spec(module) is None]
    return f"needs {', '.join(absent)}, not installed" if absent else None
