"""The two ceilings: bytes that can be moved per second, and arithmetic per second in each type."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from benchmarks.gpu.device import free
from benchmarks.gpu.step import Context, Step, StepSkippedError
from benchmarks.gpu.timing import Blocks, interleaved
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar, now

NAME = "gpu-peaks"
COPY = "copy"
PRODUCTS = ("fp32", "tf32", "fp16", "bf16", "int8")
_TYPES = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}


def steps() -> list[Step]:
    """The copy, then a product in each type."""
    products = [Step("peaks", f"product {kind}", partial(_product, kind)) for kind in PRODUCTS]
    return [Step("peaks", "copy", _copy), *products]


def _copy(context: Context) -> Iterator[list[Measurement]]:
    """Device to device, each byte read and written once; random, since zeros may move faster."""
    size = context.scale.copied
    source = torch.randint(0, 256, (size,), dtype=torch.uint8, device=context.device)
    target = torch.empty_like(source)
    yield [_measured(context, COPY, partial(target.copy_, source), moved=2 * size)]


def _product(kind: str, context: Context) -> Iterator[list[Measurement]]:
    side = context.scale.product
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if kind == "tf32" else "highest")
    try:
        call = (
            _int8(side, context.device) if kind == "int8" else _floats(kind, side, context.device)
        )
        yield [_measured(context, kind, call, operations=2 * side**3)]
    finally:
        torch.set_float32_matmul_precision(precision)
        free(context.device)


def _floats(kind: str, side: int, device: str) -> Callable[[], Tensor]:
    left, right = (torch.randn(side, side, device=device).to(_TYPES[kind]) for _ in range(2))
    return lambda: left @ right


def _int8(side: int, device: str) -> Callable[[], Tensor]:
    """PyTorch's product of 8-bit integers with 32-bit sums, whose right side lies column by
    column."""
    if not hasattr(torch, "_int_mm"):
        raise StepSkippedError(f"torch {torch.__version__} has no product of 8-bit integers")
    left, right = (
        torch.randint(-128, 128, (side, side), dtype=torch.int8, device=device) for _ in range(2)
    )
    columns = right.t()
    return lambda: torch._int_mm(left, columns)


def _measured(
    context: Context,
    kind: str,
    call: Callable[[], object],
    *,
    moved: int = 0,
    operations: int = 0,
) -> Measurement:
    scale = context.scale
    plan = Blocks(scale.blocks, 3 * scale.visit, context.device)
    found = interleaved({kind: call}, plan)[kind]
    settings: dict[str, Scalar] = {
        "device": context.device, "kind": kind, "bytes": moved, "operations": operations,
        "per_second": (moved or operations) / found.percentile(50.0),
    }  # fmt: skip
    return Measurement(NAME, settings, found, fingerprint(), now())
