"""The files that an artifact of each format and precision is made of: one row each."""

from dataclasses import dataclass, replace

from exporters.quantise import SCHEMES
from exporters.tensorrt_plan import PLAN
from inference.manifest import Format, Precision
from measuring.errors import InputError

ANYWHERE = ("cpu", "cuda")
# What every graph is rewritten with, whoever runs it.
PLAIN = ("fold_batch_norms", "pool_by_rows")
# What pays on the processor: docs/rewrites.md has the figures.
FOR_ONNXRUNTIME = (*PLAIN, "shuffle_free_aligned")
FOR_ONNXRUNTIME_INT8 = (*FOR_ONNXRUNTIME, "scale_in_stem", "mean_in_stem")
FOR_OPENVINO = (*PLAIN, "shuffle_free")


@dataclass(frozen=True)
class Recipe:
    """One file: what opens it, where, and how it is made. `features`: of the processor, any one
    suffices; `rewrites`: rows of REWRITES, those that apply are applied; `scheme`: row of SCHEMES
    for int8."""

    file: str
    runtimes: tuple[str, ...]
    rewrites: tuple[str, ...] = PLAIN
    devices: tuple[str, ...] = ANYWHERE
    features: tuple[str, ...] = ()
    scheme: str = ""


def _int8(scheme: str, rewrites: tuple[str, ...]) -> Recipe:
    row = SCHEMES[scheme]
    return Recipe(row.file, row.runtimes, rewrites, row.devices, row.features, scheme)


_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
# Eager PyTorch is the unaided baseline, and the file keeps the published keys.
_TORCH = (Recipe("model.safetensors", ("torch",), rewrites=()),)
_AOTI = Recipe("cpu.pt2", ("aoti",), ("fold_batch_norms",), ("cpu",))
_AOTI_ON_GPU = replace(_AOTI, file="cuda.pt2", devices=("cuda",))
_TENSORRT = Recipe(PLAN, ("tensorrt",), devices=("cuda",))

RECIPES: dict[tuple[Format, Precision], tuple[Recipe, ...]] = {
    ("onnx", "fp32"): (
        Recipe("model.onnx", ("onnxruntime",), FOR_ONNXRUNTIME, ("cpu",)),
        Recipe("openvino.onnx", ("openvino",), FOR_OPENVINO, ("cpu",)),
        Recipe("gpu.onnx", ("onnxruntime",), devices=("cuda", "cpu")),
    ),
    ("onnx", "fp16"): (Recipe("model.onnx", ("onnxruntime",)),),
    ("onnx", "bf16"): (Recipe("model.onnx", ("openvino",), FOR_OPENVINO, ("cpu",), _BFLOAT16),),
    ("onnx", "int8"): (
        _int8("vnni", FOR_OPENVINO),
        _int8("vnni-ort", FOR_ONNXRUNTIME_INT8),
        _int8("reduced", FOR_OPENVINO),
        _int8("symmetric", PLAIN),
    ),
    ("torch", "fp32"): _TORCH,
    ("torch", "fp16"): _TORCH,
    ("torch", "bf16"): _TORCH,
    ("aoti", "fp32"): (_AOTI,),
    ("aoti", "fp16"): (_AOTI,),
    ("aoti", "bf16"): (_AOTI,),
    ("tensorrt", "fp32"): (_TENSORRT,),
    ("tensorrt", "fp16"): (_TENSORRT,),
    ("tensorrt", "int8"): (Recipe(PLAN, ("tensorrt",), devices=("cuda",), scheme="symmetric"),),
}


def recipes_for(
    format: Format,  # noqa: A002  (the domain's word)
    precision: Precision,
    device: str = "cpu",
) -> tuple[Recipe, ...]:
    """In the order in which an engine takes the first that fits. `device`: of what is compiled
    ahead of time for one.

    Raises InputError for a format or precision that cannot be made.
    """
    formats = list(dict.fromkeys(row for row, _ in RECIPES))
    if format not in formats:
        raise InputError(f"format {format!r}: expected one of {', '.join(formats)}")
    if (format, precision) not in RECIPES:
        able = [row for of, row in RECIPES if of == format]
        raise InputError(
            f"precision {precision!r} of format {format}: expected one of {', '.join(able)}"
        )
    if format == "aoti" and device == "cuda":
        return (_AOTI_ON_GPU,)
    return RECIPES[format, precision]
