"""The runtimes: one row each, with the module that holds its `open_variant`, imported only when
asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module

from inference.artifact import Artifact
from inference.engine import Engine
from inference.errors import RuntimeMissingError
from inference.manifest import Variant
from inference.placement import Placement
from measuring.errors import InputError

OpenVariant = Callable[[Artifact, Variant, Placement], Engine]


@dataclass(frozen=True)
class Runtime:
    """`module`: where its `open_variant` is; `install`: what to run when an import fails;
    `devices`: where it computes; `answers`: whether the logits are the network's; `listed_as`:
    the runtime that manifests name, where this is another way of running the same files."""

    module: str
    install: str
    devices: tuple[str, ...] = ("cpu",)
    answers: bool = True
    listed_as: str | None = None


# In order of preference where an artifact leaves a choice.
RUNTIMES: dict[str, Runtime] = {
    "onnxruntime": Runtime(
        "inference.onnxruntime_engine", "pip install onnxruntime", devices=("cpu", "cuda")
    ),
    "openvino": Runtime("inference.openvino_engine", 'pip install "stride[openvino]"'),
    "onnxruntime-tensorrt": Runtime(
        "inference.onnxruntime_tensorrt",
        'pip install "stride[gpu]"',
        devices=("cuda",),
        listed_as="onnxruntime",
    ),
    "torch": Runtime(
        "inference.torch_engine", 'pip install "stride[export]"', devices=("cpu", "cuda")
    ),
    "torch-compiled": Runtime(
        "inference.torch_compiled_engine",
        'pip install "stride[export]"',
        devices=("cpu", "cuda"),
        listed_as="torch",
    ),
    "torch-cudagraph": Runtime(
        "inference.torch_cudagraph_engine",
        'pip install "stride[export]"',
        devices=("cuda",),
        listed_as="torch",
    ),
    "torch-fused": Runtime(
        "inference.torch_fused_engine",
        'pip install "stride[export]"',
        devices=("cuda",),
        listed_as="torch",
    ),
    "aoti": Runtime(
        "inference.aoti_engine", 'pip install "stride[export]"', devices=("cpu", "cuda")
    ),
    "tensorrt": Runtime(
        "inference.tensorrt_engine", 'pip install "stride[gpu]"', devices=("cuda",)
    ),
    "null": Runtime("inference.null_engine", "pip install stride", answers=False),
}


def row_of(name: str) -> Runtime:
    """Its row; raises InputError for a name that is none."""
    if name in RUNTIMES:
        return RUNTIMES[name]
    near = get_close_matches(name, RUNTIMES, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise InputError(f"unknown runtime {name!r}: {hint}expected one of auto, {', '.join(RUNTIMES)}")


def opens(name: str, variant: Variant) -> bool:
    """Whether the variant was made for this runtime, or for the one it is another way of."""
    return name in variant.runtimes or RUNTIMES[name].listed_as in variant.runtimes


def import_runtime(name: str) -> OpenVariant:
    """Raises RuntimeMissingError, with what to install, for one that cannot be imported."""
    row = RUNTIMES[name]
    try:
        module = import_module(row.module)
    except ImportError as error:
        raise RuntimeMissingError(
            f"runtime {name} cannot be used: {error}; install it with: {row.install}"
        ) from error
    open_variant: OpenVariant = module.open_variant
    return open_variant
