"""ONNX artifacts on a GPU with ONNX Runtime's TensorRT provider: the engine is built when the
artifact is opened, and again each time.

What TensorRT does not take runs on CUDA, and nothing on the processor.
"""

import os

from inference.artifact import Artifact
from inference.manifest import Precision, Variant
from inference.onnxruntime_binding import BoundSession
from inference.onnxruntime_engine import CUDA_OPTIONS, OnnxRuntimeEngine, require_ports
from inference.onnxruntime_session import CUDA, TENSORRT, SessionSettings, open_session
from inference.placement import Placement

# TensorRT optimises for a range of batch sizes that is fixed when the engine is built.
_LARGEST, _USUAL = 32, 8
_FLAGS: dict[Precision, str] = {
    "fp16": "trt_fp16_enable",
    "bf16": "trt_bf16_enable",
    "int8": "trt_int8_enable",
}


def open_variant(artifact: Artifact, variant: Variant, placement: Placement) -> OnnxRuntimeEngine:
    """Raises ArtifactError for a file that ONNX Runtime refuses or of which TensorRT runs nothing,
    RuntimeMissingError where there is no TensorRT."""
    manifest = artifact.manifest
    # The provider has no switch for TF32; CUDA's libraries read this one when they start.
    os.environ["NVIDIA_TF32_OVERRIDE"] = "0"
    options = tensorrt_options(manifest.precision, manifest.input.size)
    providers = {TENSORRT: options, CUDA: CUDA_OPTIONS}
    settings = SessionSettings(placement.threads, providers)
    session = open_session(artifact.path(variant.file), settings)
    require_ports(artifact, session)
    bound = BoundSession(session, device="cuda", classes=len(manifest.labels))
    name = f"onnxruntime-tensorrt cuda {manifest.precision}"
    return OnnxRuntimeEngine(bound.run, name=name, size=manifest.input.size, max_batch=_LARGEST)


def tensorrt_options(precision: Precision, size: int) -> dict[str, str]:
    """The provider's options: batches of 1 to 32 pictures, best at 8, one precision beside
    float32, no files written."""
    options = {
        f"trt_profile_{which}_shapes": f"pixels:{batch}x{size}x{size}x3"
        for which, batch in (("min", 1), ("opt", _USUAL), ("max", _LARGEST))
    }
    options |= {"trt_engine_cache_enable": "0", "trt_timing_cache_enable": "0"}
    if precision in _FLAGS:
        options[_FLAGS[precision]] = "1"
    return options
