"""`stride models`: what can be exported, what it costs, and what is exported already."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands import options

if TYPE_CHECKING:
    from models import Cost, Weights


@click.command(short_help="List the networks, their cost, and what is exported.")
@options.repository
@options.as_json
def command(repository: Path, as_json: bool) -> None:
    """List the networks: parameters, MACs, arithmetic intensity, published top-1, checkpoint and
    which artifacts of them the repository holds.

    MACs are multiply-accumulates for one image at the published input size (the papers call them
    FLOPs); intensity is MACs per byte of fp32 memory traffic, layer by layer.
    """
    from commands.output import print_json, print_table
    from models import WEIGHTS, cost, create, names

    exported = _exported(repository)
    rows = [
        _Row(name, cost(create(name), WEIGHTS[name].input_spec.size), WEIGHTS[name],
             tuple(exported.get(name, ())))
        for name in names()
    ]  # fmt: skip
    if as_json:
        print_json({"networks": [row.document() for row in rows]})
        return
    columns = (
        "network", ">parameters", ">MACs", ">MACs/byte", ">input", ">top-1", "checkpoint",
        "exported",
    )  # fmt: skip
    caption = (
        "top-1: ImageNet, as published with the checkpoint. In brackets: weights are not trained."
    )
    print_table(columns, [row.cells() for row in rows], caption=caption)


@dataclass(frozen=True)
class _Row:
    network: str
    cost: "Cost"
    weights: "Weights"
    exported: tuple[tuple[str, bool], ...]

    def cells(self) -> tuple[str, ...]:
        return (
            self.network,
            f"{self.cost.parameters:,}",
            f"{self.cost.macs:,}",
            f"{self.cost.intensity:.1f}",
            f"{self.weights.input_spec.size}",
            f"{self.weights.top1:.1%}",
            f"{self.weights.source}: {self.weights.name}",
            ", ".join(id_ if trained else f"[{id_}: untrained]" for id_, trained in self.exported)
            .replace("[", r"\["),
        )  # fmt: skip

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


def _exported(repository: Path) -> dict[str, list[tuple[str, bool]]]:
    """Network -> its artifacts (id, trained)."""
    from inference.artifact import Artifact, find_artifacts

    exported: dict[str, list[tuple[str, bool]]] = {}
    for found in find_artifacts(repository) if repository.is_dir() else ():
        if isinstance(found.artifact, Artifact):
            manifest = found.artifact.manifest
            exported.setdefault(manifest.network, []).append((found.id, manifest.weights.trained))
    return exported
