"""A decoded picture that is still to be turned: it is cheaper once only the crop is left."""

from dataclasses import dataclass

from PIL import Image

Box = tuple[float, float, float, float]  # left, top, right, bottom

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FIRST_LYING = 5  # of the orientations; from here on, stored rows are seen as columns
_MIRRORED_ACROSS = {2, 3, 7, 8}
_MIRRORED_DOWN = {3, 4, 6, 7}


@dataclass(frozen=True)
class Picture:
    """RGB `image` as the file stores it, before `orientation` (EXIF's, 1 to 8) is applied.

    `width` and `height` are the file's; `image` has 1/`scale` of them, rounded up.
    """

    image: Image.Image
    width: int
    height: int
    scale: int
    orientation: int

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height of the whole picture as a person sees it."""
        if self.orientation >= _FIRST_LYING:
            return self.height, self.width
        return self.width, self.height

    def stored(self, box: Box) -> Box:
        """Where a part of the whole, upright picture is in `image`."""
        left, top, right, bottom = box
        if self.orientation >= _FIRST_LYING:
            left, top, right, bottom = top, left, bottom, right
        if self.orientation in _MIRRORED_ACROSS:
            left, right = self.width - right, self.width - left
        if self.orientation in _MIRRORED_DOWN:
            top, bottom = self.height - bottom, self.height - top
        return left / self.scale, top / self.scale, right / self.scale, bottom / self.scale


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The image turned and mirrored as EXIF's `orientation` says."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image
