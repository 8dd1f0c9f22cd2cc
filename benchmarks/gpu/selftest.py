"""Whether the answers are right: the repository's tests that need a GPU, and the golden pictures of
every artifact on every runtime that opens it."""

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.gpu.child import run_child
from benchmarks.gpu.engines import open_artifact
from benchmarks.gpu.prepare import COMPILED
from benchmarks.gpu.step import Context, Step, StepError
from inference.errors import RuntimeMissingError
from inference.manifest import Parity, Precision
from inference.open_engine import open_unverified
from inference.parity import replay
from inference.reference import read_reference
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar, now

NAME = "gpu-selftest"
TESTED = (
    "tests/gpu",
    "tests/models/fused",
    "tests/inference/test_torch_engine.py",
    "tests/inference/test_onnxruntime_engine.py",
    "tests/measuring/test_gpu.py",
)
_MOST_SECONDS = 240


def steps(context: Context) -> list[Step]:
    """The tests, then the pictures: one step for each artifact and runtime."""
    scale = context.scale
    replays = [
        Step(
            "selftest",
            f"{network} {precision} {runtime}",
            partial(_replay, network, precision, runtime),
            gpu=runtime in ("torch-cudagraph", "torch-fused"),
        )
        for precision in scale.precisions
        for network in scale.networks
        for runtime in _runtimes(network, precision, context)
    ]
    replays.sort(key=lambda step: step.name.endswith("torch-compiled"))  # the slowest is the last
    return [Step("selftest", "pytest", _pytest, needs=("pytest", "pytest_timeout")), *replays]


def _runtimes(network: str, precision: str, context: Context) -> tuple[str, ...]:
    """Compiling takes long: once is enough to see that it is right."""
    scale = context.scale
    once = bool(scale.compiled) and (network, precision) == (scale.networks[-1], COMPILED)
    kernels = ("torch-fused",) if precision in ("fp16", "bf16") else ()
    return ("torch", "torch-cudagraph", *kernels, *(("torch-compiled",) if once else ()))


def _pytest(context: Context) -> Iterator[list[Measurement]]:
    """Raises StepError for tests that failed, and where none of a GPU's tests ran on one."""
    report = context.journal.folder / "pytest.xml"
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider"]
    # On versions that nobody has pinned, a deprecation is no failure.
    command += ["-o", "filterwarnings=default", f"--junitxml={report.resolve()}", *TESTED]
    done = run_child(command, context, most=_MOST_SECONDS)
    context.journal.log(f"pytest -m gpu:\n{done.said}")
    if not report.is_file():
        raise StepError(f"pytest gave no report: {done.last()}")
    counts = counted(report)
    report.unlink()
    yield [_record({"test": "pytest -m gpu", **counts}, counts["seconds"])]
    if counts["failed"]:
        raise StepError(f"{counts['failed']} of {counts['tests']} tests failed: {counts['first']}")
    if context.device == "cuda" and counts["skipped"] == counts["tests"]:
        raise StepError(f"all {counts['tests']} tests were skipped: {counts['reasons']}")


def counted(report: Path) -> dict[str, str | int | float]:
    """What a JUnit report says: how many tests, failures and skips, why, and the first failure."""
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))  # noqa: S314  (our own)
    wrong = [
        case for case in cases if case.find("failure") is not None or case.find("error") is not None
    ]
    skips = [found for case in cases if (found := case.find("skipped")) is not None]
    reasons: dict[str, int] = {}
    for skip in skips:
        reason = skip.get("message", "no reason")
        reasons[reason] = reasons.get(reason, 0) + 1
    return {
        "tests": len(cases),
        "failed": len(wrong),
        "skipped": len(skips),
        "reasons": "; ".join(f"{count} x {reason}" for reason, count in reasons.items()),
        "first": f"{wrong[0].get('classname')}::{wrong[0].get('name')}" if wrong else "",
        "seconds": sum(float(case.get("time", 0.0)) for case in cases),
    }


def _replay(
    network: str, precision: Precision, runtime: str, context: Context
) -> Iterator[list[Measurement]]:
    """Raises StepError for answers outside the bound."""
    artifact = open_artifact(context, network, precision)
    started = time.perf_counter()
    try:
        engine, variant = open_unverified(artifact, runtime=runtime, device=context.device)
    except RuntimeMissingError as error:
        raise StepError(str(error)) from error
    with closing(engine):
        parities = replay(
            engine, read_reference(artifact), bound=variant.parity.bound, precision=precision
        )
    worst = max(parities, key=lambda parity: parity.distance / parity.bound)
    settings: dict[str, Scalar] = {"network": network, "precision": precision, "way": runtime}
    holds = all(parity.holds for parity in parities)
    settings |= {"device": context.device, "holds": holds, **_figures(worst)}
    yield [_record(settings, time.perf_counter() - started)]
    if not holds:
        raise StepError(
            f"{worst.measure} is {worst.distance:.3g}, expected at most {worst.bound:.3g}, and "
            f"top-1 agreement {worst.top1_agreement:.1%}"
        )


def _figures(parity: Parity) -> dict[str, Scalar]:
    return {
        "measure": parity.measure,
        "distance": parity.distance,
        "bound": parity.bound,
        "agreement": parity.top1_agreement,
        "pictures": parity.images,
    }


def _record(settings: "dict[str, Scalar]", seconds: Scalar) -> Measurement:
    return Measurement(NAME, settings, latencies([float(str(seconds))]), fingerprint(), now())
