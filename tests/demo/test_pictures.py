"""What the demo sends is real and can be decoded."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from demo import pictures
from demo.pictures import PHOTOGRAPHS, held_out, photographs
from measuring.errors import MissingError


def test_held_out_takes_the_label_from_the_folder(tmp_path: Path) -> None:
    for name in ("7/0002.png", "3/0009.png", "7/0001.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "7" / "notes.txt").touch()

    found = held_out(tmp_path)

    assert [(picture.label, picture.path.name) for picture in found] == [
        ("3", "0009.png"),
        ("7", "0001.png"),
        ("7", "0002.png"),
    ]
    assert found[0].data == b"3/0009.png"


def test_held_out_of_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no held-out pictures in"):
        held_out(tmp_path)


def test_photographs_are_jpeg_files_without_labels(tmp_path: Path) -> None:
    found = photographs(tmp_path / "pictures")

    assert [picture.path.stem for picture in found] == list(PHOTOGRAPHS)
    for picture in found:
        assert picture.label is None
        assert picture.path.read_bytes() == picture.data
        with Image.open(BytesIO(picture.data)) as image:
            assert (image.format, image.mode) == ("JPEG", "RGB")
            assert min(image.size) >= 300


def test_photographs_that_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "PHOTOGRAPHS", {"cat": ("skimage_that_is_absent", "cat.png")})

    with pytest.raises(MissingError, match=r"pip install 'stride\[demo\]'"):
        photographs(tmp_path)
