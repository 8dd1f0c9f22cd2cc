"""What Stride exports against what `torch.onnx.export` and ONNX Runtime give as they come.

    python -m benchmarks.stock [NETWORK...] [--quick]

Both take the pixels of a picture and normalise them in the graph, on the same number of threads.
The stock side is the exporter's and the runtime's defaults; ours is every precision that can be
exported here, on every runtime that opens it.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import click
import onnxruntime as ort  # type: ignore[import-untyped]
import torch

from benchmarks.pairs import FULL, QUICK, Contest, Infer, compete
from benchmarks.progress import show
from exporters.export import export
from exporters.source import Source
from inference.artifact import Artifact
from inference.choice import fitting
from inference.errors import RuntimeMissingError
from inference.manifest import Precision
from inference.open_engine import open_engine
from measuring.cores import available_cores
from measuring.machine import fingerprint
from measuring.record import Scalar, append_measurements
from models import Loaded, load
from models.pixels_in import PixelsIn

NETWORKS = ("shufflenet_v2_x1_0", "mobilenet_v2", "fasternet_t0")
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "int8")
BATCHES = (1, 8)
STOCK = "stock export, onnxruntime"
NAME = "export"


@click.command()
@click.argument("networks", nargs=-1)
@click.option("--quick", is_flag=True, help="Few runs: to see that it works, not for figures.")
@click.option("--threads", type=int, default=available_cores(), show_default=True)
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("results/exports.jsonl"),
    show_default=True, help="JSON lines that the measurements are added to.",
)  # fmt: skip
def main(networks: tuple[str, ...], quick: bool, threads: int, output: Path) -> None:
    """Time the stock export of NETWORKS against every artifact and runtime at hand."""
    for network in networks or NETWORKS:
        loaded = load(network, "untrained")
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            repository = Path(folder)
            ways = {STOCK: stock_session(loaded, repository / "stock.onnx", threads)}
            for artifact in _artifacts(loaded, network, repository):
                ways |= stack.enter_context(_opened(artifact, threads))
            for batch in BATCHES:
                settings: dict[str, Scalar] = {"network": network, "threads": threads}
                contest = Contest(NAME, STOCK, loaded.input_spec.size, batch, settings)
                found = compete(contest, ways, fingerprint(), QUICK if quick else FULL)
                append_measurements(output, found)
                show(found)


def stock_session(loaded: Loaded, path: Path, threads: int) -> Infer:
    """Pixels to logits through the exporter's and the runtime's own defaults."""
    example = torch.zeros(2, loaded.input_spec.size, loaded.input_spec.size, 3, dtype=torch.uint8)
    torch.onnx.export(
        PixelsIn(loaded.network, loaded.input_spec).eval(),
        (example,),
        path,
        input_names=["pixels"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("N")},),
        verbose=False,
    )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda pixels: session.run(["logits"], {"pixels": pixels})[0]


def _artifacts(loaded: Loaded, network: str, repository: Path) -> Iterator[Artifact]:
    source = Source(loaded, network)
    for precision in PRECISIONS:
        try:
            yield export(
                source,
                artifact_name=network,
                format="onnx",
                precision=precision,
                repository=repository,
            )
        except RuntimeMissingError as error:
            click.echo(f"left out: {network} in {precision}: {error}", err=True)


@contextmanager
def _opened(artifact: Artifact, threads: int) -> Iterator[dict[str, Infer]]:
    """Every runtime that opens the artifact on the processor, its golden pictures replayed."""
    with ExitStack() as stack:
        ways: dict[str, Infer] = {}
        here = [choice.runtime for choice in fitting(artifact) if choice.device == "cpu"]
        for runtime in dict.fromkeys(here):
            try:
                engine = open_engine(artifact, runtime=runtime, threads=threads)
            except RuntimeMissingError:
                continue
            stack.enter_context(closing(engine))
            ways[engine.name] = engine.infer
        yield ways


if __name__ == "__main__":
    main()
