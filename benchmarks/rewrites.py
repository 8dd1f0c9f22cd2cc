"""What each rewrite is worth: a graph with it against the same graph without, on each runtime.

    python -m benchmarks.rewrites [NETWORK...] [--quick]

The tables in docs/rewrites.md are made from the records by `benchmarks.rewrites_page`.
"""

import tempfile
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.pairs import FULL, QUICK, Contest, Infer, compete
from benchmarks.progress import show
from exporters.export import export
from exporters.formats import PLAIN, Recipe
from exporters.source import Source
from inference.engine import Engine
from inference.manifest import Precision
from inference.open_engine import open_engine
from measuring.cores import available_cores
from measuring.machine import fingerprint
from measuring.record import Scalar, append_measurements
from measuring.timing import Schedule
from models import load

NETWORKS = ("shufflenet_v2_x1_0", "mobilenet_v2", "fasternet_t0")
BATCHES = (1, 8)
NAME = "rewrite"


@dataclass(frozen=True)
class Trial:
    """`rewrite`, added to the rewrites `before`; in `precisions`, where it can matter."""

    rewrite: str
    before: tuple[str, ...] = PLAIN
    precisions: tuple[Precision, ...] = ("fp32", "bf16", "int8")

    @property
    def rewrites(self) -> tuple[str, ...]:
        return (*self.before, self.rewrite)


TRIALS = (
    Trial("fold_batch_norms", before=(), precisions=("fp32",)),
    Trial("pool_by_rows", before=("fold_batch_norms",), precisions=("fp32",)),
    Trial("shuffle_free"),
    Trial("shuffle_free_aligned"),
    Trial("scale_in_stem"),
    Trial("mean_in_stem", before=(*PLAIN, "scale_in_stem")),
)


@dataclass(frozen=True)
class Way:
    """A runtime in a precision; `scheme`: row of SCHEMES for int8."""

    runtime: str
    precision: Precision
    scheme: str = ""


WAYS = (
    Way("onnxruntime", "fp32"),
    Way("openvino", "fp32"),
    Way("openvino", "bf16"),
    Way("onnxruntime", "int8", "vnni-ort"),
    Way("openvino", "int8", "vnni"),
)


@click.command()
@click.argument("networks", nargs=-1)
@click.option("--quick", is_flag=True, help="Few runs: to see that it works, not for figures.")
@click.option("--threads", type=int, default=available_cores(), show_default=True)
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("results/rewrites.jsonl"),
    show_default=True, help="JSON lines that the measurements are added to.",
)  # fmt: skip
def main(networks: tuple[str, ...], quick: bool, threads: int, output: Path) -> None:
    """Time every rewrite that applies to NETWORKS, on every runtime and in every precision."""
    for network in networks or NETWORKS:
        loaded = load(network, "untrained")
        source = Source(loaded, network)
        for way in WAYS:
            for trial in TRIALS:
                applies = trial.rewrite in source.applied(trial.rewrites)
                if applies and way.precision in trial.precisions:
                    _measure(source, way, trial, threads, QUICK if quick else FULL, output)


def _measure(
    source: Source, way: Way, trial: Trial, threads: int, schedule: Schedule, output: Path
) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        ways: dict[str, Infer] = {}
        for label, rewrites in (("without", trial.before), ("with", trial.rewrites)):
            engine = _open(source, way, rewrites, Path(folder, label), threads)
            stack.enter_context(closing(engine))
            ways[label] = engine.infer
        for batch in BATCHES:
            settings: dict[str, Scalar] = {
                "network": source.network,
                "rewrite": trial.rewrite,
                "runtime": way.runtime,
                "precision": way.precision,
                "threads": threads,
            }
            contest = Contest(NAME, "without", source.loaded.input_spec.size, batch, settings)
            found = compete(contest, ways, fingerprint(), schedule)
            append_measurements(output, found)
            show([entry for entry in found if entry.settings["way"] == "with"])


def _open(
    source: Source, way: Way, rewrites: tuple[str, ...], repository: Path, threads: int
) -> Engine:
    """An engine over a verified artifact made with just these rewrites."""
    recipe = Recipe("model.onnx", (way.runtime,), rewrites, ("cpu",), scheme=way.scheme)
    artifact = export(
        source,
        artifact_name=source.network,
        format="onnx",
        precision=way.precision,
        repository=repository,
        recipes=(recipe,),
    )
    return open_engine(artifact, runtime=way.runtime, threads=threads)


if __name__ == "__main__":
    main()
