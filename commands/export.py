"""`stride export`: networks and weights in, verified artifacts out."""

import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands import options
from commands.order import Order

if TYPE_CHECKING:
    from inference.artifact import Artifact
    from models import Loaded

Report = Callable[[str], None]

FILE = click.Path(path_type=Path, dir_okay=False)
_WEIGHTS = {"pretrained": "the published weights", "untrained": "weights that never learnt"}


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
@click.option(
    "--quiet",
    is_flag=True,
    help="Print nothing unless something is wrong (or --json asks for the document).",
)
@options.repository
@options.as_json
def command(quiet: bool, as_json: bool, **values: Any) -> None:
    """Export networks to artifacts, verified before they exist.

    An artifact holds the converted network (pixels in, logits out), golden pictures with the
    original's answers, and a manifest. `stride models` lists the networks.

    \b
    stride export fasternet_t0 mobilenet_v2 shufflenet_v2_x1_0
    stride export mobilenet_v2 --weights mine.safetensors --name mine
    """
    from commands.output import print_json, print_step, print_table

    order = _order(**values)
    report = _silent if quiet else print_step
    made = [artifact for network in order.networks
            for artifact in _export(network, order, report)]  # fmt: skip
    if as_json:
        print_json({"artifacts": [_document(artifact, seconds) for artifact, seconds in made]})
    if quiet or as_json:
        return
    columns = ("artifact", "weights", ">classes", ">MB", ">max |dlogit|", ">bound", ">s")
    print_table(columns, [_row(artifact, seconds) for artifact, seconds in made])
    serve = shlex.join(("stride", "serve", "--repository", str(order.repository)))
    click.echo(f"Serve them: {serve}", err=True)


def _order(networks: tuple[str, ...], input_spec: Path | None, **values: Any) -> Order:
    """Raises InputError for what cannot be carried out."""
    from measuring.input_spec_file import read_input_spec

    spec = read_input_spec(input_spec) if input_spec else None
    order = Order(networks=tuple(dict.fromkeys(networks)), input_spec=spec, **values)
    order.check()
    return order


def _export(network: str, order: Order, report: Report) -> "list[tuple[Artifact, float]]":
    """The artifacts of one network, with the seconds each took."""
    from exporters.export import export

    started = time.perf_counter()
    loaded = _load(network, order, report)
    made = []
    for format_ in order.formats:
        for precision in order.precisions:
            artifact = export(
                loaded,
                network_name=network,
                artifact_name=order.artifact_name(network),
                format=format_,
                precision=precision,
                repository=order.repository,
                report=report,
            )
            made.append((artifact, time.perf_counter() - started))
            started = time.perf_counter()
    return made


def _load(network: str, order: Order, report: Report) -> "Loaded":
    from models import load

    report(f"load: {_WEIGHTS.get(order.weights, order.weights)} of {network}")
    loaded = load(network, order.weights, labels=order.labels, input_spec=order.input_spec)
    report(f"preprocess: {_preprocessing(loaded)}")
    return loaded


def _preprocessing(loaded: "Loaded") -> str:
    """Whose it is, and what it does to a picture."""
    spec = loaded.input_spec
    what = f"to {spec.size} x {spec.size} pixels, {spec.interpolation}"
    if loaded.input_spec_source == "given":
        return f"{what}, as --input-spec says"
    return f"{what}, as {loaded.input_spec_source}"


def _silent(step: str) -> None:
    """For --quiet."""


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
