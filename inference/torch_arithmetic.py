"""What PyTorch computes in: the types, whether this machine has them, and no short cuts."""

import torch

from inference.errors import RuntimeMissingError
from inference.manifest import Precision
from measuring.processor import processor

DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}
_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")


def require_arithmetic(precision: Precision, device: str) -> torch.dtype:
    """The type that computes in this precision. Raises RuntimeMissingError where PyTorch has no
    GPU to use, or where the precision would only be imitated."""
    if device == "cuda" and not torch.cuda.is_available():
        raise RuntimeMissingError(
            f"torch {torch.__version__} finds no GPU: expected a build with CUDA, an NVIDIA GPU "
            "and its driver; choose device cpu, or install the build for your GPU from pytorch.org"
        )
    if precision not in DTYPES:
        raise RuntimeMissingError(
            f"torch does not compute in {precision}, expected one of {', '.join(DTYPES)}; "
            "open the ONNX artifact of this precision instead"
        )
    if precision == "bf16" and not _has_bfloat16(device):
        raise RuntimeMissingError(
            f"the {'GPU' if device == 'cuda' else 'processor'} does not compute in bfloat16, and "
            "torch would only imitate it; open the artifact in fp32 instead"
        )
    return DTYPES[precision]


def refuse_short_cuts() -> None:
    """Float32 stays float32, without TF32 or bfloat16 inside products and convolutions."""
    torch.set_float32_matmul_precision("highest")
    # Not the newer `fp32_precision`: torch.compile still reads this one, and refuses a mixture.
    torch.backends.cudnn.allow_tf32 = False


def _has_bfloat16(device: str) -> bool:
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return any(feature in processor().features for feature in _BFLOAT16)
