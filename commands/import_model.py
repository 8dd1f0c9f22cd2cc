"""`stride import`: a classifier that somebody else exported to ONNX, as a verified artifact."""

import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands import options
from measuring.errors import MissingError

if TYPE_CHECKING:
    from inference.artifact import Artifact

Report = Callable[[str], None]

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("import", short_help="Make a verified artifact of any ONNX classifier.")
@click.argument("model", metavar="MODEL.onnx", type=FILE)
@click.option("--name", help="Name of the artifact, instead of the file's.")
@click.option(
    "--labels",
    type=FILE,
    help="Label names in the order of the classes: text with one a line, or a JSON list. Without "
    "it, ImageNet's for 1000 classes and numbers otherwise.",
)
@click.option(
    "--input-spec",
    type=FILE,
    help="Preprocessing the model expects, as TOML: size, resize, interpolation, mean, std, crop. "
    "Without it, the model's size with ImageNet's mean and std.",
)
@click.option(
    "--untrained", is_flag=True, help="Say that the weights never learnt; answers are marked so."
)
@click.option(
    "--quiet",
    is_flag=True,
    help="Print nothing unless something is wrong (or --json asks for the document).",
)
@options.repository
@options.as_json
def command(model: Path, quiet: bool, as_json: bool, repository: Path, **values: Any) -> None:
    """Import MODEL.onnx, a classifier with one picture as its input: float32 or uint8, channels
    first or last, any batch.

    The artifact takes pixels and gives logits, as an exported one does: scaling, mean and standard
    deviation become part of the graph. It is verified against the answers of the file itself.

    \b
    stride import mine.onnx --labels labels.txt --input-spec input.toml
    stride serve
    """
    from commands.output import print_json, print_step, print_table

    started = time.perf_counter()
    report = _silent if quiet else print_step
    artifact = _import(model, repository, report, **values)
    seconds = time.perf_counter() - started
    if as_json:
        print_json({"artifacts": [_document(artifact, seconds)]})
    if quiet or as_json:
        return
    columns = ("artifact", "weights", ">classes", ">MB", ">error", ">bound", ">s")
    print_table(columns, [_row(artifact, seconds)])
    serve = shlex.join(("stride", "serve", "--repository", str(repository)))
    click.echo(f"Serve it: {serve}", err=True)


def _import(
    model: Path,
    repository: Path,
    report: Report,
    *,
    name: str | None,
    labels: Path | None,
    input_spec: Path | None,
    untrained: bool,
) -> "Artifact":
    from measuring.input_spec_file import read_input_spec

    try:
        from exporters.imported import Wanted, import_onnx
        from models.labels import read_labels
    except ImportError as error:
        raise MissingError(
            f"models cannot be imported here: {error}; "
            'install it with: pip install "stride[export]"'
        ) from error
    wanted = Wanted(
        name=name,
        labels=read_labels(labels) if labels else None,
        spec=read_input_spec(input_spec) if input_spec else None,
        trained=not untrained,
    )
    return import_onnx(model, wanted, repository=repository, report=report)


def _silent(step: str) -> None:
    """For --quiet."""


def _row(artifact: "Artifact", seconds: float) -> tuple[str, ...]:
    manifest = artifact.manifest
    worst = max(manifest.parity, key=lambda parity: parity.distance / parity.bound)
    return (
        manifest.id,
        "trained" if manifest.weights.trained else "UNTRAINED",
        f"{len(manifest.labels)}",
        f"{sum(entry.size for entry in manifest.files.values()) / 1e6:.1f}",
        f"{worst.distance:.1e}",
        f"{worst.bound:.1e}",
        f"{seconds:.1f}",
    )


def _document(artifact: "Artifact", seconds: float) -> dict[str, Any]:
    from dataclasses import asdict

    manifest = artifact.manifest
    return {
        "id": manifest.id,
        "directory": str(artifact.directory),
        "trained": manifest.weights.trained,
        "input_spec": asdict(manifest.input),
        "cost": asdict(manifest.cost),
        "seconds": seconds,
        "parity": [asdict(parity) for parity in manifest.parity],
    }
