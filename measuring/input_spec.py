"""How a decoded picture becomes the pixels a network expects; travels with the weights."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

from measuring.errors import InputError

Interpolation = Literal["bilinear", "bicubic", "nearest"]
Crop = Literal["center", "squash"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class InputSpec:
    """Preprocessing of one set of weights.

    `size`: height and width of the pixels in; `resize`: length of the shorter side before the
    centre crop (`crop="squash"` scales both sides to `size` and ignores `resize`);
    `mean` and `std`: per RGB channel, for pixels scaled to [0, 1].

    Raises InputError for values that describe no picture.
    """

    size: int = 224
    resize: int = 256
    interpolation: Interpolation = "bilinear"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    crop: Crop = "center"

    def __post_init__(self) -> None:
        _require(1 <= self.size <= 4096, "size", self.size, "1 to 4096")
        _require(self.size <= self.resize <= 8192, "resize", self.resize, f"{self.size} to 8192")
        _require(
            self.interpolation in get_args(Interpolation),
            "interpolation",
            self.interpolation,
            " or ".join(get_args(Interpolation)),
        )
        _require(self.crop in get_args(Crop), "crop", self.crop, " or ".join(get_args(Crop)))
        _require(
            len(self.mean) == 3 and all(map(isfinite, self.mean)),
            "mean",
            self.mean,
            "three finite numbers, one per RGB channel",
        )
        _require(
            len(self.std) == 3 and all(map(isfinite, self.std)) and min(self.std) > 0,
            "std",
            self.std,
            "three finite numbers above 0, one per RGB channel",
        )


def _require(condition: bool, field: str, received: object, expected: str) -> None:
    if not condition:
        raise InputError(f"input spec: {field} is {received!r}, expected {expected}")
