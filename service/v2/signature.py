"""What one model takes and gives on the wire: all that the codec knows of it."""

from dataclasses import dataclass

from service.seam import ModelInfo
from service.settings import Limits

PIXELS, IMAGE, LOGITS = "pixels", "image", "logits"


@dataclass(frozen=True, slots=True)
class Signature:
    """`model`: its id, also where the client used an alias; `size`: height and width of the pixels;
    `max_images`: images in one request."""

    model: str
    size: int
    labels: tuple[str, ...]
    max_images: int

    @property
    def picture_bytes(self) -> int:
        """Bytes of one picture's pixels (size, size, 3)."""
        return self.size * self.size * 3


def signature(info: ModelInfo, limits: Limits) -> Signature:
    """More images than may wait, or than a body can bring as pixels, never get an answer."""
    size = info.manifest.input.size
    most = min(info.queue_capacity, limits.body_bytes // (size * size * 3))
    return Signature(info.id, size, info.manifest.labels, max(1, most))
