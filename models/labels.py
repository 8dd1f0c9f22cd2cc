"""What a network's classes are called, in the order of its logits."""

import json
from functools import cache
from pathlib import Path

from measuring.errors import InputError

_IMAGENET = Path(__file__).with_name("imagenet_labels.txt")


@cache
def imagenet_labels() -> tuple[str, ...]:
    """The 1000 classes of ImageNet-1k in the index order of the published checkpoints; from
    torchvision (see NOTICE)."""
    return read_labels(_IMAGENET, classes=1000)


def numbered_labels(classes: int) -> tuple[str, ...]:
    """Stand-ins for classes that nobody named: `class 0`, `class 1`, ..."""
    return tuple(f"class {index}" for index in range(classes))


def read_labels(path: str | Path, *, classes: int | None = None) -> tuple[str, ...]:
    """One label a line in UTF-8, or a JSON list of strings (`.json`). A label may occur twice:
    the index tells two classes of one name apart.

    Raises InputError for a file that cannot be read, for an empty file or label, and where the
    count is not `classes`.
    """
    path = Path(path)
    text = _read_text(path)
    labels = _json_list(path, text) if path.suffix == ".json" else text.rstrip().split("\n")
    stripped = tuple(label.strip() for label in labels)
    if not any(stripped):
        raise InputError(f"labels {path}: the file is empty, expected one label per line")
    for number, label in enumerate(stripped, 1):
        if not label:
            raise InputError(
                f"labels {path}: label {number} is empty; every class needs a name, "
                "or all that follow would be off by one"
            )
    return check_count(stripped, classes, f"labels {path}")


def check_count(labels: tuple[str, ...], classes: int | None, origin: str) -> tuple[str, ...]:
    """`labels` themselves. Raises InputError unless there are `classes` of them."""
    if classes is not None and len(labels) != classes:
        raise InputError(
            f"{origin}: {len(labels)} labels for {classes} classes; "
            f"expected {classes}, in the order of the network's classes"
        )
    return labels


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"labels {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"labels {path}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from error


def _json_list(path: Path, text: str) -> list[str]:
    try:
        labels = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"labels {path} is not JSON: {error}") from error
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise InputError(f"labels {path}: expected a JSON list of strings, one per class")
    return labels
