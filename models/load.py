"""A network ready to answer: its weights, and all that belongs to them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from measuring.errors import InputError, MissingError
from measuring.input_spec import InputSpec
from models.catalog import create
from models.checkpoint import SUFFIXES, classes_in, load_state, read_state
from models.download import fetch, sha256_of
from models.labels import check_count, imagenet_labels, numbered_labels, read_labels
from models.untrained import calibrate
from models.weights import WEIGHTS, Weights

PRETRAINED, UNTRAINED = "pretrained", "untrained"
IMAGENET_CLASSES = 1000

Labels = str | Path | Sequence[str]


@dataclass(frozen=True)
class Loaded:
    """A float32 network in eval mode and what must travel with it.

    `source`: the address, the file or `untrained`; `sha256`: of the checkpoint file, or of the
    state where there is no file; `published_top1`: in [0, 1], where weights and input spec are the
    published ones; `input_spec_source`: `given`, or whose published one stands in.
    """

    network: nn.Module
    input_spec: InputSpec
    labels: tuple[str, ...]
    source: str
    sha256: str
    trained: bool
    licence: str | None
    published_top1: float | None
    input_spec_source: str


def load(
    name: str,
    weights: str | Path = PRETRAINED,
    *,
    num_classes: int | None = None,
    labels: Labels | None = None,
    input_spec: InputSpec | None = None,
) -> Loaded:
    """Network `name` with its published weights (`pretrained`), seeded ones that never learnt
    (`untrained`), or those of a checkpoint file.

    A checkpoint says itself how many classes it has. Labels (a file or the names) default to
    ImageNet's for 1000 classes, else to `class 0`, `class 1`, ...; the input spec to that of the
    published weights. Raises InputError for what does not fit together and MissingError for
    weights that cannot be had.
    """
    row = _row(name)
    if weights == PRETRAINED:
        found = _pretrained(row, num_classes)
    elif weights == UNTRAINED:
        found = _untrained(row, num_classes, input_spec or row.input_spec)
    else:
        found = _from_file(name, Path(weights), num_classes)
    published = input_spec in (None, row.input_spec)
    return Loaded(
        network=found.network,
        input_spec=input_spec or row.input_spec,
        labels=_labels(labels, found.classes),
        source=found.source,
        sha256=found.sha256,
        trained=found.trained,
        licence=found.licence,
        published_top1=found.top1 if published else None,
        input_spec_source="given" if input_spec else f"published with {name} {row.name}",
    )


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """Of names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for key in sorted(state):
        tensor = state[key].detach().cpu().contiguous()
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class _Found:
    network: nn.Module
    classes: int
    source: str
    sha256: str
    trained: bool
    licence: str | None = None
    top1: float | None = None


def _row(name: str) -> Weights:
    if name not in WEIGHTS:
        create(name)  # raises, with the names, unless it is a network without a published row
        raise InputError(f"network {name} has no published weights to take the input spec from")
    return WEIGHTS[name]


def _pretrained(row: Weights, num_classes: int | None) -> _Found:
    if num_classes not in (None, IMAGENET_CLASSES):
        raise InputError(
            f"the published weights of {row.network} have {IMAGENET_CLASSES} classes, not "
            f"{num_classes}; give a checkpoint file of your own, or `{UNTRAINED}`"
        )
    path = fetch(row)
    network = create(row.network)
    try:
        load_state(network, read_state(path))
    except InputError as error:
        if not row.sha256_prefix:  # nothing else could have told: a login page, say
            path.unlink()
        raise MissingError(f"{row.url} is not the weights of {row.network}: {error}") from error
    return _Found(
        network.float().eval(),
        IMAGENET_CLASSES,
        row.url,
        sha256_of(path),
        trained=True,
        licence=row.licence,
        top1=row.top1,
    )


def _untrained(row: Weights, num_classes: int | None, spec: InputSpec) -> _Found:
    classes = IMAGENET_CLASSES if num_classes is None else num_classes
    network = create(row.network, classes).float().eval()
    calibrate(network, spec.size, mean=spec.mean, std=spec.std)
    return _Found(network, classes, UNTRAINED, state_sha256(network.state_dict()), trained=False)


def _from_file(name: str, path: Path, num_classes: int | None) -> _Found:
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"weights {str(path)!r}: expected `{PRETRAINED}`, `{UNTRAINED}` or a file ending in "
            + " or ".join(SUFFIXES)
        )
    state = read_state(path)
    classes = classes_in(state, name)
    if num_classes not in (None, classes):
        raise InputError(
            f"checkpoint {path} has {classes} classes, not {num_classes}; "
            "leave the number out, the checkpoint says it"
        )
    network = create(name, classes)
    try:
        load_state(network, state)
    except InputError as error:
        raise InputError(f"{path} for {name}: {error}") from error
    return _Found(network.float().eval(), classes, path.name, sha256_of(path), trained=True)


def _labels(labels: Labels | None, classes: int) -> tuple[str, ...]:
    if labels is None:
        return imagenet_labels() if classes == IMAGENET_CLASSES else numbered_labels(classes)
    if isinstance(labels, str | Path):
        return read_labels(labels, classes=classes)
    return check_count(tuple(labels), classes, "labels")
