"""`stride models`: what can be exported, what it costs, and what is exported already."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands import options

if TYPE_CHECKING:
    from models import Cost, Weights


_NOTES = """\
MACs: multiply-accumulates for one image; MACs/B: per byte moved; size: of the
input, in pixels; top-1: ImageNet, as published with the checkpoint.
"""


@click.command(short_help="List the networks, their cost, and what is exported.")
@options.repository
@options.as_json
def command(repository: Path, as_json: bool) -> None:
    """List the networks: parameters, MACs, arithmetic intensity, published top-1, checkpoint and
    which artifacts of them the repository holds.

    MACs are multiply-accumulates for one image at the published input size (the papers call them
    FLOPs); MACs/B is the arithmetic intensity: over the fp32 memory traffic, layer by layer.
    --json has exact figures, addresses and licences.
    """
    from commands.output import print_json, print_table
    from models import WEIGHTS, cost, names, sketch

    exported = _exported(repository)
    rows = [
        _Row(name, cost(sketch(name), WEIGHTS[name].input_spec.size), WEIGHTS[name],
             tuple(exported.get(name, ())))
        for name in names()
    ]  # fmt: skip
    if as_json:
        print_json({"networks": [row.document() for row in rows]})
        return
    columns = ("network", ">params", ">MACs", ">MACs/B", ">size", ">top-1", "checkpoint")
    print_table(columns, [row.cells() for row in rows])
    click.echo(_NOTES)
    for line in _exported_lines(repository, exported):
        click.echo(line)


@dataclass(frozen=True)
class _Row:
    network: str
    cost: "Cost"
    weights: "Weights"
    exported: tuple[tuple[str, bool], ...]

    def cells(self) -> tuple[str, ...]:
        return (
            self.network,
            f"{self.cost.parameters / 1e6:.2f} M",
            f"{self.cost.macs / 1e6:,.0f} M",
            f"{self.cost.intensity:.1f}",
            f"{self.weights.input_spec.size}",
            f"{self.weights.top1:.1%}",
            f"{self.weights.source.partition(',')[0].rpartition('/')[2]} {self._recipe()}",
        )

    def _recipe(self) -> str:
        """`v1`, `v2`: the publisher's own version where the name ends in one."""
        found = re.search(r"V(\d)(\.\d)?$", self.weights.name, re.IGNORECASE)
        return f"v{found.group(1)}" if found else ""

    def document(self) -> dict[str, object]:
        return {
            "network": self.network,
            "parameters": self.cost.parameters,
            "macs": self.cost.macs,
            "macs_per_byte": self.cost.intensity,
            "input_size": self.weights.input_spec.size,
            "published_top1": self.weights.top1,
            "checkpoint": self.weights.name,
            "checkpoint_url": self.weights.url,
            "licence": self.weights.licence,
            "exported": [{"id": id_, "trained": trained} for id_, trained in self.exported],
        }


def _exported_lines(
    repository: Path, exported: dict[str, list[tuple[str, bool]]]
) -> tuple[str, ...]:
    lines = tuple(
        f"  {id_}" + ("" if trained else "  (untrained)")
        for ids in exported.values()
        for id_, trained in ids
    )
    return (
        (f"Exported in {repository}:", *lines)
        if lines
        else (f"Nothing exported in {repository} yet.",)
    )


def _exported(repository: Path) -> dict[str, list[tuple[str, bool]]]:
    """Network -> its artifacts (id, trained)."""
    from inference.artifact import Artifact, find_artifacts

    exported: dict[str, list[tuple[str, bool]]] = {}
    for found in find_artifacts(repository):
        if isinstance(found.artifact, Artifact):
            manifest = found.artifact.manifest
            exported.setdefault(manifest.network, []).append((found.id, manifest.weights.trained))
    return exported
