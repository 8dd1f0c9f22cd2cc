"""A decoder made for the tests of admission. A fake: a real one cannot be held in the middle."""

import threading
from collections.abc import Callable

from inference.engine import Pixels
from measuring.input_spec import InputSpec
from service.decoding import Decoder


class HeldDecoder(Decoder):
    """A fake of one thread that stays in the middle of a decode until it is let go."""

    def __init__(self) -> None:
        super().__init__(threads=1, max_pixels=1_000_000)
        self.entered = threading.Event()
        self.gate = threading.Event()

    def _decode(self, data: bytes, specs: tuple[InputSpec, ...]) -> Callable[[InputSpec], Pixels]:
        self.entered.set()
        self.gate.wait()
        return super()._decode(data, specs)
