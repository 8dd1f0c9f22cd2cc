import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from exporters.photographs import PHOTOGRAPHS, photographs
from measuring.input_spec import InputSpec

SPEC = InputSpec(size=48, resize=56)


def hide(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """As if they were not installed."""
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)


def test_photographs_are_different_pictures_of_the_networks_size() -> None:
    pixels = photographs(SPEC)
    assert pixels is not None
    assert (pixels.shape, pixels.dtype.name) == ((9, 48, 48, 3), "uint8")
    assert len({picture.tobytes() for picture in pixels}) == 9
    assert all(picture.std() > 10 for picture in pixels)


def test_photographs_are_whole_and_prepared_as_the_spec_says() -> None:
    squashed = photographs(InputSpec(size=48, resize=48, crop="squash"))
    assert squashed is not None
    package = find_spec("skimage")
    assert package is not None
    assert package.origin is not None
    with Image.open(Path(package.origin).parent / "data" / "astronaut.png") as image:
        expected = image.convert("RGB").resize((48, 48), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(squashed[0], np.asarray(expected))


@pytest.mark.parametrize(
    ("missing", "count"), [("skimage", 2), ("sklearn", 7)], ids=["scikit-image", "scikit-learn"]
)
def test_photographs_of_one_package_do_without_the_other(
    monkeypatch: pytest.MonkeyPatch, missing: str, count: int
) -> None:
    hide(monkeypatch, missing)
    pixels = photographs(SPEC)
    assert pixels is not None
    assert len(pixels) == count


def test_photographs_where_no_package_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, *PHOTOGRAPHS)
    assert photographs(SPEC) is None


def test_photographs_of_a_package_that_has_only_some_of_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hide(monkeypatch, "sklearn")
    other = ModuleType("skimage")
    other.__spec__ = ModuleSpec("skimage", None, is_package=True)
    other.__spec__.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, "skimage", other)
    (tmp_path / "data").mkdir()
    Image.new("RGB", (60, 50), "red").save(tmp_path / "data" / "coffee.png")
    pixels = photographs(SPEC)
    assert pixels is not None
    assert pixels.shape == (1, 48, 48, 3)


def test_photographs_import_nothing_of_the_packages() -> None:
    code = (
        "import sys\n"
        "from exporters.photographs import photographs\n"
        "from measuring.input_spec import InputSpec\n"
        "print(len(photographs(InputSpec(size=8, resize=8))))\n"
        "print(sorted({'skimage', 'sklearn', 'scipy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "9\n[]\n"
