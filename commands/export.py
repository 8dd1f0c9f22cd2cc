"""`stride export`: networks and weights in, verified artifacts out."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from commands import options
from measuring.errors import InputError

if TYPE_CHECKING:
    from inference.artifact import Artifact
    from inference.manifest import Format, Precision
    from models import Loaded

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="Turn networks and weights into verified artifacts.")
@click.argument("networks", metavar="NETWORK...", nargs=-1, required=True)
@click.option(
    "--weights",
    default="pretrained",
    show_default=True,
    metavar="pretrained|untrained|PATH",
    help="The published checkpoint, seeded weights that never learnt, or your own "
    ".pth, .pt or .safetensors file.",
)
@click.option(
    "--format",
    "formats",
    default="onnx",
    show_default=True,
    metavar="onnx,torch",
    callback=options.comma_separated,
    help="Formats to write.",
)
@click.option(
    "--precision",
    "precisions",
    default="fp32",
    show_default=True,
    metavar="fp32",
    callback=options.comma_separated,
    help="Arithmetic they compute in.",
)
@click.option("--name", help="Name of the artifact, instead of the network's.")
@click.option(
    "--labels",
    type=FILE,
    help="Label names of your checkpoint: text with one a line, or a JSON list.",
)
@click.option(
    "--input-spec",
    type=FILE,
    help="Preprocessing of your checkpoint, as TOML: size, resize, interpolation, mean, "
    "std, crop. Without it, that of the published weights.",
)
@options.repository
@options.as_json
def command(**values: Any) -> None:
    """Export networks to artifacts, verified before they exist.

    An artifact holds the converted network (pixels in, logits out), golden pictures with the
    original's answers, and a manifest. `stride models` lists the networks.

    \b
    stride export fasternet_t0 mobilenet_v2 shufflenet_v2_x1_0
    stride export mobilenet_v2 --weights mine.safetensors --labels labels.txt --name mine
    """
    from commands.output import print_json, print_table

    order = _checked(**{key: value for key, value in values.items() if key != "as_json"})
    made = [artifact for network in dict.fromkeys(order.networks)
            for artifact in _export(network, order)]  # fmt: skip
    if values["as_json"]:
        print_json({"artifacts": [_document(artifact, seconds) for artifact, seconds in made]})
        return
    columns = ("artifact", "weights", ">classes", ">MB", ">max |dlogit|", ">bound", ">seconds")
    print_table(columns, [_row(artifact, seconds) for artifact, seconds in made])
    click.echo(f"Serve them: stride serve --repository {order.repository}", err=True)


@dataclass(frozen=True)
class _Order:
    """The options as given; raises InputError for those that contradict each other."""

    networks: tuple[str, ...]
    weights: str
    formats: tuple[str, ...]
    precisions: tuple[str, ...]
    name: str | None
    labels: Path | None
    input_spec: Path | None
    repository: Path

    def __post_init__(self) -> None:
        if self.name and len(self.networks) > 1:
            raise InputError(
                f"--name {self.name} is for one network, received {len(self.networks)}; "
                "export them one by one"
            )


def _checked(**values: Any) -> _Order:
    """The order, refused before anything is downloaded or built if a word of it is wrong."""
    from exporters.formats import exporter_for
    from models import names, sketch

    order = _Order(**values)
    for network in set(order.networks) - set(names()):
        sketch(network)  # raises, with the names
    for format_ in order.formats:
        for precision in order.precisions:
            exporter_for(cast("Format", format_), cast("Precision", precision))
    return order


def _export(network: str, order: _Order) -> "list[tuple[Artifact, float]]":
    """The artifacts of one network, with the seconds each took."""
    from exporters.export import export

    started = time.perf_counter()
    loaded = _load(network, order)
    made = []
    for format_ in order.formats:
        for precision in order.precisions:
            artifact = export(
                loaded,
                network_name=network,
                artifact_name=order.name or network,
                format=cast("Format", format_),
                precision=cast("Precision", precision),
                repository=order.repository,
                report=lambda step: _report(network, step),
            )
            made.append((artifact, time.perf_counter() - started))
            started = time.perf_counter()
    return made


def _load(network: str, order: _Order) -> "Loaded":
    from measuring.input_spec_file import read_input_spec
    from models import load

    spec = read_input_spec(order.input_spec) if order.input_spec else None
    _report(network, f"load: {order.weights} weights")
    loaded = load(network, order.weights, labels=order.labels, input_spec=spec)
    _report(network, f"preprocessing: {loaded.input_spec_source}")
    return loaded


def _report(network: str, step: str) -> None:
    from commands.output import progress

    progress.print(f"[dim]{network}[/dim] {step}", soft_wrap=True)


def _row(artifact: "Artifact", seconds: float) -> tuple[str, ...]:
    manifest = artifact.manifest
    worst = max(parity.max_abs_dlogit for parity in manifest.parity)
    return (
        manifest.id,
        "trained" if manifest.weights.trained else "UNTRAINED",
        f"{len(manifest.labels)}",
        f"{sum(entry.size for entry in manifest.files.values()) / 1e6:.1f}",
        f"{worst:.1e}",
        f"{max(parity.bound for parity in manifest.parity):.1e}",
        f"{seconds:.1f}",
    )


def _document(artifact: "Artifact", seconds: float) -> dict[str, Any]:
    from dataclasses import asdict

    manifest = artifact.manifest
    return {
        "id": manifest.id,
        "directory": str(artifact.directory),
        "trained": manifest.weights.trained,
        "seconds": seconds,
        "parity": [asdict(parity) for parity in manifest.parity],
    }
