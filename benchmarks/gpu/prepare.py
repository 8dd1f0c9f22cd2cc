"""Makes the artifacts that the suite runs, and proves them on the device against the processor's
float64 answers.

    python -m benchmarks.gpu.prepare NETWORK --repository DIR --device cuda [--compile]

A process for each network: the answers of the originals come from the processor, and it has many
cores. With --compile it also fills the compiler's cache for those that come after.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click

from benchmarks.gpu.step import Context, Step, StepError
from inference.manifest import Precision
from measuring.cores import available_cores
from measuring.input_spec import InputSpec
from measuring.record import Measurement

COMPILED: Precision = "fp16"


def steps(networks: tuple[str, ...]) -> list[Step]:
    """One for all networks, which are made side by side."""
    return [Step("prepare", "artifacts", partial(_prepare, networks))]


def artifact_name(network: str, precision: str) -> str:
    """The folder in the repository."""
    return f"{network}-torch-{precision}"


def _prepare(networks: tuple[str, ...], context: Context) -> Iterator[list[Measurement]]:
    """Raises StepError naming the networks that could not be made; the others are there."""
    missing = [
        network
        for network in networks
        if any(not _made(context, network, each) for each in context.scale.precisions)
    ]
    started = {network: _start(network, len(missing), context) for network in missing}
    failed = []
    for network, process in started.items():
        output, _ = process.communicate()
        context.journal.log(f"prepare {network}:\n{output}")
        if process.returncode:
            failed.append(f"{network} ({(output.strip().splitlines() or ['no output'])[-1]})")
    if failed:
        raise StepError(
            f"not made: {'; '.join(failed)}; {context.journal.folder}/suite.log has more"
        )
    yield []


def _made(context: Context, network: str, precision: str) -> bool:
    return (context.repository / artifact_name(network, precision) / "manifest.json").is_file()


def _start(network: str, beside: int, context: Context) -> "subprocess.Popen[str]":
    threads = max(1, available_cores() // beside)
    command = [sys.executable, "-m", "benchmarks.gpu.prepare", network]
    command += ["--repository", str(context.repository), "--device", context.device]
    command += ["--threads", str(threads)]
    for precision in context.scale.precisions:
        command += ["--precision", precision]
    if context.scale.size:
        command += ["--size", str(context.scale.size)]
    if context.scale.compiled and network in context.scale.networks:
        command += ["--compile"]
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads), "TORCHINDUCTOR_COMPILE_THREADS": str(threads),
    }  # fmt: skip
    return subprocess.Popen(  # noqa: S603  (our own module)
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )


@click.command()
@click.argument("network")
@click.option("--repository", type=click.Path(path_type=Path), required=True)
@click.option("--device", default="cuda")
@click.option("--precision", "precisions", multiple=True, default=("fp16",))
@click.option("--size", type=int, default=None)
@click.option("--threads", type=int, default=1)
@click.option("--compile", "compiles", is_flag=True)
def main(
    network: str,
    repository: Path,
    device: str,
    precisions: tuple[Precision, ...],
    size: int | None,
    threads: int,
    compiles: bool,
) -> None:
    """Export NETWORK with untrained weights, as what PyTorch opens."""
    import torch

    from exporters.export import export
    from exporters.formats import Recipe
    from exporters.source import Source
    from models import load

    torch.set_num_threads(threads)
    spec = InputSpec(size=size, resize=size) if size else None
    loaded = load(network, "untrained", input_spec=spec)
    source = Source(loaded, network, report=click.echo)
    recipe = Recipe("model.safetensors", ("torch",), rewrites=(), devices=(device,))
    for precision in precisions:
        artifact = export(
            source, artifact_name=network, format="torch", precision=precision,
            repository=repository, recipes=(recipe,),
        )  # fmt: skip
        click.echo(f"made {artifact.manifest.id}")
    if compiles and COMPILED in precisions:
        _compile(repository / artifact_name(network, COMPILED), device)


def _compile(directory: Path, device: str) -> None:
    """Only its cache is kept."""
    from inference.artifact import read_artifact
    from inference.open_engine import open_engine

    open_engine(
        read_artifact(directory), runtime="torch-compiled", device=device, threads=1
    ).close()


if __name__ == "__main__":
    main()
