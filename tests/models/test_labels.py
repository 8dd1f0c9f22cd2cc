import json
from pathlib import Path

import pytest

from measuring.errors import InputError
from models.labels import imagenet_labels, numbered_labels, read_labels


@pytest.mark.parametrize(
    ("index", "label"),
    [
        (0, "tench"),
        (281, "tabby"),
        (285, "Egyptian cat"),
        (508, "computer keyboard"),
        (999, "toilet tissue"),
    ],
)
def test_imagenet_labels_are_in_the_order_of_the_checkpoints(index: int, label: str) -> None:
    assert imagenet_labels()[index] == label


def test_imagenet_labels_are_a_thousand() -> None:
    assert len(imagenet_labels()) == 1000


def test_labels_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("\ufeffchat\r\nété \nchat\n\n".encode())

    assert read_labels(path, classes=3) == ("chat", "été", "chat")


def test_labels_as_json(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(["cat", "dog, or wolf"]))

    assert read_labels(path) == ("cat", "dog, or wolf")


def test_labels_that_nobody_named_are_numbered() -> None:
    assert numbered_labels(3) == ("class 0", "class 1", "class 2")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("a.txt", b"", "is empty, expected one label per line", id="empty"),
        pytest.param("a.txt", b"\n \n", "is empty, expected one label per line", id="blank"),
        pytest.param("a.txt", b"cat\n\ndog\n", "label 2 is empty", id="gap"),
        pytest.param("a.txt", b"cat\ndog", "2 labels for 3 classes", id="too-few"),
        pytest.param("a.txt", b"caf\xe9", "byte 3 is not UTF-8", id="latin-1"),
        pytest.param("a.json", b"[", "is not JSON", id="broken-json"),
        pytest.param("a.json", b'{"0": "cat"}', "a JSON list of strings", id="json-object"),
        pytest.param("a.json", b'["cat", 2, "dog"]', "a JSON list of strings", id="json-number"),
        pytest.param("a.json", b"[]", "is empty", id="json-empty"),
    ],
)
def test_labels_that_cannot_be_used_say_why(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(InputError, match=message) as caught:
        read_labels(path, classes=3)

    assert str(path) in str(caught.value)


def test_labels_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.txt cannot be read: No such file"):
        read_labels(tmp_path / "missing.txt")
