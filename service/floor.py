"""The floor of a service: an artifact on the null runtime, which answers zeros.

It is a model of its own beside the real one, with an id of its own, so that no answer and no metric
of it can be taken for the artifact's.
"""

from collections.abc import Iterable
from dataclasses import replace

from inference.artifact import Artifact
from inference.runtimes import RUNTIMES
from service.settings import ModelSpec

NULL = "null"
SUFFIX = f"-{NULL}"
"""Ids of artifacts end in their precision, so that none ends so."""


def is_floor(spec: ModelSpec) -> bool:
    """Whether its answers are not the network's."""
    return spec.runtime in RUNTIMES and not RUNTIMES[spec.runtime].answers


def as_served(artifact: Artifact, spec: ModelSpec) -> Artifact:
    """What clients see of it: of a floor another id and name, and weights that never learnt."""
    manifest = artifact.manifest
    if not is_floor(spec):
        return artifact
    return replace(
        artifact,
        manifest=replace(
            manifest,
            id=manifest.id + SUFFIX,
            name=manifest.name + SUFFIX,
            weights=replace(manifest.weights, trained=False),
        ),
    )


def with_floors(ids: Iterable[str]) -> set[str]:
    """These artifacts, and the floors made of them."""
    return {name for identity in ids for name in (identity, identity + SUFFIX)}
