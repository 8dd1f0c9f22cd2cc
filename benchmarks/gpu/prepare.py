"""Makes the artifacts that the suite runs, and proves them on the device against the processor's
float64 answers.

    python -m benchmarks.gpu.prepare NETWORK --repository DIR --device cuda

A process for each network: the answers of the originals come from the processor, and it has many
cores. With --compile it fills the compiler's cache instead, for those that come after.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click

from benchmarks.gpu.side_by_side import run_side_by_side
from benchmarks.gpu.step import Context, Step, StepError
from inference.manifest import Precision
from measuring.cores import available_cores
from measuring.errors import StrideError
from measuring.input_spec import InputSpec
from measuring.record import Measurement

COMPILED: Precision = "fp16"
_MOST_SECONDS = 180.0


def steps(context: Context) -> list[Step]:
    """One for all networks, which are made side by side."""
    networks = (*context.scale.networks, *context.scale.references)
    return [Step("prepare", "artifacts", partial(_prepare, networks))]


def artifact_name(network: str, precision: str) -> str:
    """The folder in the repository."""
    return f"{network}-torch-{precision}"


def is_made(context: Context, network: str, precision: str) -> bool:
    """Whether its manifest is there, which is written last."""
    return (context.repository / artifact_name(network, precision) / "manifest.json").is_file()


def _prepare(networks: tuple[str, ...], context: Context) -> Iterator[list[Measurement]]:
    """Raises StepError naming the networks that could not be made; the others are there."""
    precisions = context.scale.precisions
    commands = {
        network: [*_command(network, context), *_each("--precision", precisions)]
        for network in networks
        if not all(is_made(context, network, precision) for precision in precisions)
    }
    _run(commands, context)
    yield []


def fill_cache(context: Context) -> Iterator[list[Measurement]]:
    """Compiles the default networks side by side. Raises StepError naming those that failed."""
    commands = {
        network: [*_command(network, context), "--compile"]
        for network in context.scale.networks
        if is_made(context, network, COMPILED)
    }
    _run(commands, context)
    yield []


def _run(commands: dict[str, list[str]], context: Context) -> None:
    threads = max(1, available_cores() // max(1, len(commands)))
    failed = run_side_by_side(commands, context.journal, threads=threads, most=_MOST_SECONDS)
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
@click.option("--compile", "compiles", is_flag=True)
def main(
    network: str,
    repository: Path,
    device: str,
    precisions: tuple[Precision, ...],
    size: int | None,
    compiles: bool,
) -> None:
    """Export NETWORK with untrained weights, as what PyTorch opens."""
    if compiles:
        _compile(repository / artifact_name(network, COMPILED), device)
    else:
        spec = InputSpec(size=size, resize=size) if size else None
        _export(network, repository, device, precisions, spec)


def _export(
    network: str,
    repository: Path,
    device: str,
    precisions: tuple[Precision, ...],
    spec: InputSpec | None,
) -> None:
    from exporters.export import export
    from exporters.formats import Recipe
    from exporters.source import Source
    from models import load

    source = Source(load(network, "untrained", input_spec=spec), network, report=click.echo)
    recipe = Recipe("model.safetensors", ("torch",), rewrites=(), devices=(device,))
    failed: list[str] = []
    for precision in precisions:
        try:
            export(
                source,
                artifact_name=network,
                format="torch",
                precision=precision,
                repository=repository,
                recipes=(recipe,),
            )
        except StrideError as error:  # the other precisions are worth having
            failed.append(f"{precision}: {error}")
    if failed:
        raise click.ClickException("; ".join(failed))


def _compile(directory: Path, device: str) -> None:
    """Only its cache is kept."""
    from inference.artifact import read_artifact
    from inference.open_engine import open_engine

    open_engine(read_artifact(directory), runtime="torch-compiled", device=device).close()


if __name__ == "__main__":
    main()
