"""`stride export`: networks and weights in, verified artifacts out."""

import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands import options
from commands.order import Order

if TYPE_CHECKING:
    from exporters.source import Source
    from inference.artifact import Artifact
    from inference.manifest import Format, Precision
    from measuring.errors import StrideError
    from models import Loaded

Made = tuple["Artifact", float]
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
    metavar="onnx,torch,aoti,tensorrt",
    callback=options.comma_separated,
    help="Formats to write. A TensorRT plan and an AOTInductor package (aoti) are built on the "
    "machine that will run them.",
)
@click.option(
    "--precision",
    "precisions",
    default="fp32",
    show_default=True,
    metavar="fp32,fp16,bf16,int8",
    callback=options.comma_separated,
    help="Arithmetic they compute in: an artifact each.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Pictures like those that will be classified, to find the scales of int8 on. "
    "Generated ones are always used, too.",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    help="What an AOTInductor package is compiled for; by default cpu.",
)
@click.option(
    "--max-batch",
    type=click.IntRange(1),
    metavar="N",
    help="Most pictures at once that a TensorRT plan takes, up to 256; by default 32.",
)
@click.option(
    "--version-compatible",
    is_flag=True,
    help="A TensorRT plan that later versions of TensorRT run, too; may cost speed.",
)
@click.option(
    "--hardware-compatible",
    type=click.Choice(["same_compute_capability", "ampere_plus"]),
    help="A TensorRT plan for other GPUs than this one, too; may cost speed.",
)
@click.option(
    "--runtime",
    type=click.Choice(["auto"]),
    help="auto: measure the installed runtimes on this machine, and record the fastest.",
)
@options.profiles
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
def command(quiet: bool, as_json: bool, runtime: str | None, profiles: Path, **values: Any) -> None:
    """Export networks to artifacts, verified before they exist.

    An artifact holds the converted network (pixels in, logits out), golden pictures with the
    original's answers, and a manifest. `stride models` lists the networks.

    \b
    stride export fasternet_t0 mobilenet_v2 shufflenet_v2_x1_0
    stride export mobilenet_v2 --precision fp32,int8 --runtime auto
    stride export mobilenet_v2 --weights mine.safetensors --name mine
    """
    from commands.output import print_json, print_step, print_table

    order = _order(**values)
    made, failures = _export_all(order, _silent if quiet else print_step)
    comparisons = _measured(made, runtime, profiles, quiet=quiet or as_json)
    if as_json:
        failed = [str(failure) for failure in failures]
        artifacts = [_document(artifact, seconds) for artifact, seconds in made]
        print_json({"artifacts": artifacts, "failed": failed, "measured": comparisons})
    elif made and not quiet:
        columns = ("artifact", "weights", ">classes", ">MB", ">error", ">bound", ">s")
        print_table(columns, [_row(artifact, seconds) for artifact, seconds in made])
        serve = shlex.join(("stride", "serve", "--repository", str(order.repository)))
        click.echo(f"Serve them: {serve}", err=True)
    if failures:
        raise failures[0]


def _order(networks: tuple[str, ...], input_spec: Path | None, **values: Any) -> Order:
    """Raises InputError for what cannot be carried out."""
    from measuring.input_spec_file import read_input_spec

    spec = read_input_spec(input_spec) if input_spec else None
    order = Order(networks=tuple(dict.fromkeys(networks)), input_spec=spec, **values)
    order.check()
    return order


def _export_all(order: Order, report: Report) -> "tuple[list[Made], list[StrideError]]":
    """Every artifact of the order, with the seconds it took; one that fails does not keep the
    others from being made."""
    from measuring.errors import StrideError

    made: list[Made] = []
    failures: list[StrideError] = []
    for network in order.networks:
        try:
            source = _load(network, order, report)
        except StrideError as error:
            failures.append(_told(error, network, failures, report))
            continue
        for format_ in order.formats:
            for precision in order.precisions:
                started = time.perf_counter()
                try:
                    artifact = _export(source, order, format_, precision)
                except StrideError as error:
                    what = f"{network} in {format_} {precision}"
                    failures.append(_told(error, what, failures, report))
                else:
                    made.append((artifact, time.perf_counter() - started))
    return made, failures


def _told(
    error: "StrideError", what: str, before: "list[StrideError]", report: Report
) -> "StrideError":
    """The first failure ends the command and is printed there, the others are told as they come."""
    if before:
        report(f"failed: {what}: {error}")
    return error


def _export(
    source: "Source", order: Order, format_: "Format", precision: "Precision"
) -> "Artifact":
    from exporters.export import export
    from exporters.formats import recipes_for

    return export(
        source,
        artifact_name=order.artifact_name(source.network),
        format=format_,
        precision=precision,
        repository=order.repository,
        recipes=recipes_for(format_, precision, order.device or "cpu"),
        plan=order.plan_options(),
    )


def _load(network: str, order: Order, report: Report) -> "Source":
    from exporters.calibration_pictures import calibration_pictures
    from exporters.source import Source
    from models import load

    report(f"load: {_WEIGHTS.get(order.weights, order.weights)} of {network}")
    loaded = load(network, order.weights, labels=order.labels, input_spec=order.input_spec)
    report(f"preprocess: {_preprocessing(loaded)}")
    return Source(
        loaded,
        network,
        calibration=lambda: calibration_pictures(order.calibration, loaded.input_spec, report),
        report=report,
    )


def _preprocessing(loaded: "Loaded") -> str:
    """Whose it is, and what it does to a picture."""
    spec = loaded.input_spec
    what = f"to {spec.size} x {spec.size} pixels, {spec.interpolation}"
    if loaded.input_spec_source == "given":
        return f"{what}, as --input-spec says"
    return f"{what}, as {loaded.input_spec_source}"


def _measured(
    made: "Sequence[Made]", runtime: str | None, profiles: Path, *, quiet: bool
) -> list[dict[str, Any]]:
    """What `--runtime auto` found, as plain data; nothing where it was not asked for."""
    if runtime is None or not made:
        return []
    from dataclasses import asdict

    from commands.measure_runtimes import measure

    found = measure([artifact for artifact, _ in made], profiles, quiet=quiet)
    return [asdict(comparison) for comparison in found]


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
        "seconds": seconds,
        "parity": [asdict(parity) for parity in manifest.parity],
    }
