"""How pictures come to the device that computes and answers back: to a GPU through page-locked
memory and on a stream of its own, so that one engine's copies overlap another's arithmetic."""

from collections.abc import Callable

import torch
from torch import Tensor

from inference.engine import Logits

Network = Callable[[Tensor], Tensor]


def on_processor(network: Network, pixels: Tensor) -> Logits:
    """Pixels (N, H, W, 3) in memory through a network that computes there."""
    logits: Logits = network(pixels).float().numpy()
    return logits


class OnGpu:
    """Pixels in memory through a network on the GPU. One caller at a time; several of these run
    side by side."""

    def __init__(self) -> None:
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        # The weights were put on the device by the stream that is current here.
        self._stream.wait_stream(torch.cuda.current_stream())
        self._pixels = torch.empty(0, dtype=torch.uint8)
        self._logits = torch.empty(0)

    def __call__(self, network: Network, pixels: Tensor) -> Logits:
        self._pixels = _room_for(self._pixels, pixels)
        staged = _part(self._pixels, pixels)
        staged.copy_(pixels)
        try:
            with torch.cuda.stream(self._stream):
                logits = network(staged.to("cuda", non_blocking=True)).float()
                self._logits = _room_for(self._logits, logits)
                answered = _part(self._logits, logits)
                answered.copy_(logits, non_blocking=True)
        finally:
            # Also after a failure: the page-locked memory is written again by the next call.
            self._stream.synchronize()
        return answered.numpy().copy()


def _room_for(buffer: Tensor, like: Tensor) -> Tensor:
    """The buffer, or a page-locked one that holds as many numbers."""
    if buffer.numel() >= like.numel():
        return buffer
    return torch.empty(like.numel(), dtype=like.dtype, pin_memory=True)


def _part(buffer: Tensor, like: Tensor) -> Tensor:
    return buffer[: like.numel()].view(like.shape)
