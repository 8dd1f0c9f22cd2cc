"""The default networks as few large kernels for GPUs, written in Triton.

What PyTorch launches one by one (a convolution, its BatchNorm, its activation, a concatenation, a
shuffle) is one kernel here, and nothing is stored that only the next one reads. The arithmetic is
that of the network: folded BatchNorms, products summed in float32. docs/gpu.md says what it brings.
"""

from models.fused.build import fused, has_triton

__all__ = ["fused", "has_triton"]
