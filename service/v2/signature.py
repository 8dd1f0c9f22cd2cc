"""What one model takes and gives on the wire: all that the codec knows of it."""

from dataclasses import dataclass, field

from service.seam import ModelInfo
from service.settings import Limits

PIXELS, IMAGE, LOGITS = "pixels", "image", "logits"


@dataclass(frozen=True, slots=True)
class Signature:
    """`model`: its id, also where the client used an alias; `size`: height and width of the pixels;
    `max_images`: images in one request; `picture_bytes`: of one picture's pixels
    (size, size, 3)."""

    model: str
    size: int
    labels: tuple[str, ...]
    max_images: int
    picture_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "picture_bytes", self.size * self.size * 3)


def signature(info: ModelInfo, limits: Limits) -> Signature:
    """More images than may wait, or than a body can bring as pixels, never get an answer."""
    size = info.manifest.input.size
    most = min(info.queue_capacity, limits.body_bytes // (size * size * 3))
    return Signature(info.id, size, info.manifest.labels, max(1, most))


class Signatures:
    """Those of models that were asked for before, kept for the next request."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._known: dict[str, tuple[ModelInfo, Signature]] = {}

    def of(self, info: ModelInfo) -> Signature:
        """As `signature` gives it."""
        known = self._known.get(info.id)
        if known is None or known[0] is not info:
            known = self._known[info.id] = info, signature(info, self._limits)
        return known[1]
