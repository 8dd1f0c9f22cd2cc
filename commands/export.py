"""`stride export`: networks and weights in, verified artifacts out."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands import options
from measuring.errors import InputError

if TYPE_CHECKING:
    from inference.artifact import Artifact


@click.command()
@click.argument("networks", metavar="NETWORK...", nargs=-1, required=True)
@click.option(
    "--weights",
    default="pretrained",
    show_default=True,
    metavar="pretrained|untrained|PATH",
    help="The published checkpoint, seeded random weights, or your own .pth or .safetensors.",
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
    help="Arithmetic to write them in.",
)
@click.option("--name", help="Name of the artifact instead of the network's.")
@click.option(
    "--labels",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Label names of your checkpoint: text, one a line, or a JSON list.",
)
@click.option(
    "--input-spec",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Preprocessing of your checkpoint, as TOML: size, resize, interpolation, mean, std, crop.",
)
@options.repository
@options.as_json
def command(
    networks: tuple[str, ...], weights: str, formats: tuple[str, ...],
    precisions: tuple[str, ...], name: str | None, labels: Path | None, input_spec: Path | None,
    repository: Path, as_json: bool,
) -> None:  # fmt: skip
    """Export networks to artifacts that are verified before they exist.

    An artifact holds the converted network (pixels in, logits out), golden pictures with the
    original's answers, and a manifest. `stride models` lists the networks.

    \b
    stride export fasternet_t0 mobilenet_v2 shufflenet_v2_x1_0
    stride export mobilenet_v2 --weights mine.safetensors --labels labels.txt --name mine
    """
    if name and len(networks) > 1:
        raise InputError(f"--name {name} is for one network, received {len(networks)}")
    artifacts: list[Artifact] = []
    for network in dict.fromkeys(networks):
        loaded = _load(network, weights, labels, input_spec)
        for format_ in formats:
            for precision in precisions:
                target = f"{name or network}-{format_}-{precision}"
                artifacts.append(_export(loaded, network, target, repository))
    _print(artifacts, as_json)
