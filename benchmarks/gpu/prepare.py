"""Makes the artifacts that the suite runs, and proves them on the device against the processor's
float64 answers.

    python -m benchmarks.gpu.prepare NETWORK --repository DIR --device cuda

A process for each network: the answers of the originals come from the processor, and it has many
cores. With --fill it fills a compiler's cache instead, for those that come after.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from benchmarks.gpu.side_by_side import run_side_by_side
from benchmarks.gpu.step import Context, Step, StepError, StepSkippedError
from inference.artifact import Artifact, read_artifact
from inference.manifest import Format, Precision
from measuring.cores import available_cores
from measuring.errors import StrideError
from measuring.input_spec import InputSpec
from measuring.record import Measurement

if TYPE_CHECKING:
    from exporters.plan_options import PlanOptions
    from exporters.source import Source

COMPILED: Precision = "fp16"
FORMATS: tuple[Format, ...] = ("torch", "onnx", "aoti", "tensorrt")
_MOST_SECONDS = 180.0
# Batch sizes at which the kernels come in every size of block that any batch size needs.
_BLOCK_SIZES = (256, 128, 64, 32, 8, 1)


def steps(context: Context) -> list[Step]:
    """One for all networks, which are made side by side."""
    scale = context.scale
    wanted = dict.fromkeys(scale.references, scale.referenced)
    wanted |= dict.fromkeys(scale.networks, scale.precisions)
    return [Step("prepare", "artifacts", partial(_prepare, wanted, "torch"))]


def make_onnx(precisions: tuple[Precision, ...], context: Context) -> Iterator[list[Measurement]]:
    """The default networks for ONNX Runtime, each held to the originals on this device alone: on
    every runtime of the processor besides, a network takes a minute. Raises as `_prepare` does."""
    return _prepare(dict.fromkeys(context.scale.networks, precisions), "onnx", context)


def make_packages(context: Context) -> Iterator[list[Measurement]]:
    """The default networks compiled ahead of time. Raises as `_prepare` does."""
    return _prepare(dict.fromkeys(context.scale.networks, (COMPILED,)), "aoti", context)


def make_plans(context: Context) -> Iterator[list[Measurement]]:
    """The default networks as TensorRT plans for this GPU. Raises as `_prepare` does."""
    return _prepare(dict.fromkeys(context.scale.networks, (COMPILED,)), "tensorrt", context)


def open_made(context: Context, network: str, precision: str, format_: Format) -> Artifact:
    """Raises StepSkippedError for one that has not been made."""
    name = artifact_name(network, precision, format_)
    if not is_made(context, network, precision, format_):
        raise StepSkippedError(f"{name} was not made")
    return read_artifact(context.repository / name)


def artifact_name(network: str, precision: str, format_: Format = "torch") -> str:
    """The folder in the repository."""
    return f"{network}-{format_}-{precision}"


def is_made(context: Context, network: str, precision: str, format_: Format = "torch") -> bool:
    """Whether its manifest is there, which is written last."""
    name = artifact_name(network, precision, format_)
    return (context.repository / name / "manifest.json").is_file()


def _prepare(
    wanted: Mapping[str, tuple[Precision, ...]], format_: Format, context: Context
) -> Iterator[list[Measurement]]:
    """Raises StepError naming the networks that could not be made; the others are there."""
    commands = {
        network: [
            *_command(network, context), "--format", format_, *_each("--precision", precisions)
        ]
        for network, precisions in wanted.items()
        if not all(is_made(context, network, precision, format_) for precision in precisions)
    }  # fmt: skip
    _run(commands, context)
    yield []


def fill_cache(context: Context) -> Iterator[list[Measurement]]:
    """Compiles the default networks side by side. Raises StepError naming those that failed."""
    commands = {
        network: [*_command(network, context), "--fill", "compiled"]
        for network in context.scale.networks
        if is_made(context, network, COMPILED)
    }
    _run(commands, context)
    yield []


def fill_kernels(context: Context) -> Iterator[list[Measurement]]:
    """Compiles the fused kernels of the default networks for all batch sizes, side by side. Raises
    StepError naming what failed."""
    commands = {
        f"{network} at {batch}": [*_command(network, context), "--fill", str(batch)]
        for batch in _BLOCK_SIZES
        for network in context.scale.networks
        if is_made(context, network, COMPILED)
    }
    _run(commands, context)
    yield []


def _run(commands: dict[str, list[str]], context: Context) -> None:
    threads = max(1, available_cores() // max(1, len(commands)))
    failed = run_side_by_side(
        commands, context.journal, threads=threads, most=min(_MOST_SECONDS, context.left())
    )
    if failed:
        told = "; ".join(f"{network}: {reason}" for network, reason in failed.items())
        raise StepError(f"{told}; {context.journal.folder}/suite.log has more")


def _command(network: str, context: Context) -> list[str]:
    command = ["benchmarks.gpu.prepare", network, "--device", context.device]
    command += ["--repository", str(context.repository)]
    return [*command, *(["--size", str(context.scale.size)] if context.scale.size else [])]


def _each(option: str, values: tuple[str, ...]) -> list[str]:
    return [word for value in values for word in (option, value)]


@click.command()
@click.argument("network")
@click.option("--repository", type=click.Path(path_type=Path), required=True)
@click.option("--device", default="cuda")
@click.option("--precision", "precisions", multiple=True)
@click.option("--size", type=int, default=None)
@click.option("--format", "format_", type=click.Choice(FORMATS), default="torch")
@click.option("--fill", default=None, metavar="compiled|BATCH")
def main(
    network: str,
    repository: Path,
    device: str,
    precisions: tuple[Precision, ...],
    size: int | None,
    format_: Format,
    fill: str | None,
) -> None:
    """Export NETWORK with untrained weights, as what a runtime opens."""
    from exporters.source import Source
    from models import load

    if fill == "compiled":
        _compile(repository / artifact_name(network, COMPILED), device)
    elif fill:
        _fuse(repository / artifact_name(network, COMPILED), int(fill))
    else:
        spec = InputSpec(size=size, resize=size) if size else None
        source = Source(load(network, "untrained", input_spec=spec), network, report=click.echo)
        _export(source, repository, precisions, format_, device)


def _export(
    source: "Source",
    repository: Path,
    precisions: tuple[Precision, ...],
    format_: Format,
    device: str,
) -> None:
    """Raises ClickException naming the precisions that failed."""
    from exporters.export import export
    from exporters.formats import Recipe, recipes_for

    if format_ == "onnx":
        recipe = Recipe("gpu.onnx", ("onnxruntime",), devices=(device,))
    elif format_ in ("aoti", "tensorrt"):
        (recipe,) = recipes_for(format_, precisions[0], device)
    else:
        recipe = Recipe("model.safetensors", ("torch",), rewrites=(), devices=(device,))
    failed: list[str] = []
    for precision in precisions:
        try:
            export(
                source,
                artifact_name=source.network,
                format=format_,
                precision=precision,
                repository=repository,
                recipes=(recipe,),
                plan=_plan() if format_ == "tensorrt" else None,
            )
        except StrideError as error:  # the other precisions are worth having
            failed.append(f"{precision}: {error}")
    if failed:
        raise click.ClickException("; ".join(failed))


def _plan() -> "PlanOptions":
    """For all batch sizes that are compared, the largest included."""
    from exporters.plan_options import MOST_PICTURES, BatchProfile, PlanOptions

    return PlanOptions(batch=BatchProfile(optimum=32, maximum=MOST_PICTURES))


def _compile(directory: Path, device: str) -> None:
    """Only its cache is kept."""
    from inference.open_engine import open_engine

    open_engine(read_artifact(directory), runtime="torch-compiled", device=device).close()


def _fuse(directory: Path, batch: int) -> None:
    """Only the cache of its kernels is kept."""
    from inference.open_engine import open_unverified

    artifact = read_artifact(directory)
    engine, _ = open_unverified(artifact, runtime="torch-fused", device="cuda")
    size = artifact.manifest.input.size
    engine.infer(np.zeros((batch, size, size, 3), np.uint8))
    engine.close()


if __name__ == "__main__":
    main()
