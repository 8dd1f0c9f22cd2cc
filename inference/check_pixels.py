"""What every engine asks of its input, and the most pictures it takes at once."""

import numpy as np

from inference.engine import Pixels
from measuring.errors import InputError

# A batch this large has long saturated any processor; beyond it only memory grows.
MAX_BATCH = 256
# A fast GPU is busy with a few hundred, and a benchmark wants to see that it is.
MAX_BATCH_ON_GPU = 1024


def check_pixels(pixels: Pixels, *, size: int, max_batch: int) -> None:
    """Raises InputError unless `pixels` is (N, size, size, 3) uint8 with 1 <= N <= max_batch."""
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != (size, size, 3):
        raise InputError(
            f"pixels are {pixels.dtype} {pixels.shape}, expected uint8 (N, {size}, {size}, 3): "
            "RGB, not normalised; preprocess the image first"
        )
    if not 1 <= len(pixels) <= max_batch:
        raise InputError(
            f"pixels are {pixels.dtype} {pixels.shape}, expected 1 <= N <= {max_batch}; "
            "split the batch"
        )
