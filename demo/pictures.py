"""What the demo sends: the digits that training never saw, or real photographs."""

from dataclasses import dataclass
from importlib import resources
from io import BytesIO
from pathlib import Path

from PIL import Image

from measuring.errors import MissingError

# Photographs that come with the packages themselves; others of theirs would be downloaded.
PHOTOGRAPHS = {
    "astronaut": ("skimage.data", "astronaut.png"),
    "camera": ("skimage.data", "camera.png"),
    "chelsea": ("skimage.data", "chelsea.png"),
    "china": ("sklearn.datasets.images", "china.jpg"),
    "coffee": ("skimage.data", "coffee.png"),
    "flower": ("sklearn.datasets.images", "flower.jpg"),
    "hubble_deep_field": ("skimage.data", "hubble_deep_field.jpg"),
    "motorcycle": ("skimage.data", "motorcycle_left.png"),
    "rocket": ("skimage.data", "rocket.jpg"),
}
QUALITY = 90


@dataclass(frozen=True)
class Picture:
    """A file that was sent; `label` where it is known what it shows."""

    path: Path
    data: bytes
    label: str | None


def held_out(directory: Path) -> tuple[Picture, ...]:
    """The files `<label>/<name>.png`. Raises MissingError for none."""
    pictures = tuple(
        Picture(path, path.read_bytes(), path.parent.name)
        for path in sorted(directory.glob("*/*.png"))
    )
    if not pictures:
        raise MissingError(f"no held-out pictures in {directory}; remove it and run the demo again")
    return pictures


def photographs(directory: Path) -> tuple[Picture, ...]:
    """PHOTOGRAPHS as JPEG files of their own size, also written into `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    return tuple(_photograph(directory / f"{name}.jpg", *PHOTOGRAPHS[name]) for name in PHOTOGRAPHS)


def _photograph(path: Path, package: str, file: str) -> Picture:
    try:
        original = (resources.files(package) / file).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise MissingError(
            f"the photograph {file} of {package} is not installed; run: pip install 'stride[demo]'"
        ) from error
    encoded = BytesIO()
    with Image.open(BytesIO(original)) as image:
        image.convert("RGB").save(encoded, "JPEG", quality=QUALITY)
    path.write_bytes(encoded.getvalue())
    return Picture(path, encoded.getvalue(), None)
