import re
from pathlib import Path

import pytest

from measuring.errors import InputError
from measuring.input_spec import IMAGENET_MEAN, InputSpec
from measuring.input_spec_file import read_input_spec


def _write(folder: Path, text: str) -> Path:
    path = folder / "spec.toml"
    path.write_text(text)
    return path


def test_input_spec_with_every_key(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        'size = 192\nresize = 200\ninterpolation = "bicubic"\nmean = [0.5, 0.5, 0]\n'
        'std = [1, 0.5, 0.25]\ncrop = "squash"\n',
    )

    spec = read_input_spec(path)

    assert spec == InputSpec(192, 200, "bicubic", (0.5, 0.5, 0.0), (1.0, 0.5, 0.25), "squash")
    assert all(isinstance(value, float) for value in (*spec.mean, *spec.std))


@pytest.mark.parametrize(("size", "resize"), [(224, 256), (28, 32), (320, 366)])
def test_input_spec_without_resize_keeps_the_usual_margin(
    tmp_path: Path, size: int, resize: int
) -> None:
    spec = read_input_spec(_write(tmp_path, f"size = {size}"))

    assert (spec.size, spec.resize, spec.mean) == (size, resize, IMAGENET_MEAN)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("sise = 224", "unknown key sise; allowed: size, resize", id="unknown-key"),
        pytest.param("size = 22.4", "size is 22.4, expected a whole number", id="fraction"),
        pytest.param("size = true", "size is True, expected a whole number", id="boolean"),
        pytest.param("mean = 0.5", "mean is 0.5, expected three numbers", id="one-mean"),
        pytest.param("std = [1, 1]", "std is [1, 1], expected three numbers", id="two-stds"),
        pytest.param("std = [nan, 1, 1]", "std is [nan, 1, 1], expected three", id="not-a-number"),
        pytest.param("crop = 3", "crop is 3, expected a name", id="crop-number"),
        pytest.param('crop = "left"', "crop is 'left', expected center or squash", id="crop-name"),
        pytest.param("size = 0", "size is 0, expected 1 to 4096", id="no-size"),
        pytest.param("size 224", "is not TOML", id="not-toml"),
    ],
)
def test_input_spec_that_describes_no_picture_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    path = _write(tmp_path, text)

    with pytest.raises(InputError, match=re.escape(message)) as caught:
        read_input_spec(path)

    assert str(path) in str(caught.value)


def test_input_spec_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.toml cannot be read: No such file"):
        read_input_spec(tmp_path / "missing.toml")
