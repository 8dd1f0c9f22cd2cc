"""The files of a TensorRT artifact: the plan, and the log of its build."""

from importlib import import_module
from pathlib import Path

import onnx

from exporters.plan_options import PlanOptions
from exporters.tensorrt_graph import cast_before_transpose
from measuring.errors import MissingError

PLAN = "model.plan"
BUILD_LOG = "build.log"


def write_plan(
    directory: Path,
    onnx_path: Path,
    options: PlanOptions | None = None,
    *,
    cache_folder: Path | None = None,
) -> dict[str, str]:
    """Builds `onnx_path`, a pixels-in graph typed as it is to compute, for the GPU of this machine;
    writes `model.plan` and `build.log` and gives the manifest's `bound_to`.

    Raises MissingError without TensorRT or a GPU, InputError for a graph that TensorRT does not
    take, CheckError where the build fails.
    """
    require_tensorrt()
    from exporters.tensorrt_export import build_plan

    graph = cast_before_transpose(onnx.load_model(onnx_path))
    built = build_plan(
        graph.SerializeToString(), options or PlanOptions(), cache_folder=cache_folder
    )
    (directory / PLAN).write_bytes(built.plan)
    (directory / BUILD_LOG).write_text(built.log, encoding="utf-8")
    return built.bound_to


def require_tensorrt() -> None:
    """Raises MissingError where a plan cannot be built for want of TensorRT."""
    try:
        import_module("exporters.tensorrt_export")
    except ImportError as error:
        raise MissingError(
            f"a TensorRT plan cannot be built here: {error}; it is built on the machine that will "
            'run it, which needs an NVIDIA GPU and: pip install "stride[gpu]"'
        ) from error
