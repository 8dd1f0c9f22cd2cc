"""The figures of docs/gpu.md, from the published records of GPU runs.

python -m benchmarks.gpu_page
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu import engines, onnx_engines, packages, plans, selftest, serving, serving_locust
from benchmarks.gpu.findings import findings
from benchmarks.gpu.plan import STAGES
from benchmarks.gpu.table import tables as suite_tables
from benchmarks.gpu.ways import COMPILED
from benchmarks.pages import PUBLISHED, ROOT, rewrite_part
from measuring.record import Measurement, read_measurements

PAGE = ROOT / "docs" / "gpu.md"
PART = "made by python -m benchmarks.gpu_page"
NOTHING = (
    "No GPU figure exists yet: the suite has not been run on a machine with a GPU. Nothing that "
    "this repository says about speed was measured on one.\n"
)
# What a record of the suite is named after, where that is not the stage itself.
_STAGE_OF = {
    "gpu-facts": "fingerprint", "gpu-peaks": "peaks", engines.NAME: "engines",
    selftest.NAME: "selftest", "gpu-kernels": "profile", "gpu-claims": "claims",
    "gpu-energy": "energy", onnx_engines.NAME: onnx_engines.ONNX, packages.NAME: packages.AOTI,
    plans.NAME: plans.TENSORRT,
    serving.NAME: "http", serving_locust.NAME: "http",
}  # fmt: skip

_TOLD = ("torch", "onnxruntime-gpu", "tensorrt", "numpy")


def records() -> list[Path]:
    """The published files, a machine each."""
    return sorted(PUBLISHED.glob("gpu*.jsonl"))


def tables(runs: Sequence[Sequence[Measurement]]) -> str:
    """Each run with its machine, and what has not been run at all."""
    if not any(runs):
        return NOTHING
    parts = [_part(found) for found in runs if found]
    return "\n\n".join([*parts, _not_run(runs)]) + "\n"


def _part(found: Sequence[Measurement]) -> str:
    """One machine: what was found first, what it was found in after it."""
    detailed = suite_tables(found).replace("### ", "#### ")
    return f"{_machine(found)}\n\n{findings(found)}\n\n{detailed}"


def _machine(found: Sequence[Measurement]) -> str:
    machine = found[-1].machine  # the libraries of stages that came later are there, too
    cards = ", ".join(f"{gpu.name} (driver {gpu.driver})" for gpu in machine.gpus or ())
    libraries = ", ".join(
        f"{name} {version}" for name, version in machine.libraries.items() if name in _TOLD
    )
    return (
        f"### {cards or 'a GPU that was not asked for its name'}, {found[0].started[:10]}\n\n"
        f"{machine.cores} cores of {machine.processor.model}; Python {machine.python}; {libraries}."
    )


def _not_run(runs: Sequence[Sequence[Measurement]]) -> str:
    every = [measured for found in runs for measured in found]
    run = {_STAGE_OF.get(measured.name) for measured in every} | {"prepare"}
    if any(measured.settings.get("way") == COMPILED for measured in every):
        run.add("compiled")
    left = [stage for stage in STAGES if stage not in run]
    return f"Stages that no run here has records of: {', '.join(left) or 'none'}."


def main() -> None:
    """Make the page new."""
    rewrite_part(PAGE, PART, tables([read_measurements(path) for path in records()]))


if __name__ == "__main__":
    main()
