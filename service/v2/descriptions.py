"""What the service and its models are, in the words of the protocol and of Triton's ModelConfig."""

from typing import Any

from service.seam import ModelInfo
from service.v2.addressing import ONLY_VERSION
from service.v2.answers import ModelMetadata, ServerMetadata, TensorMetadata
from service.v2.signature import LOGITS, PIXELS, Signature

EXTENSIONS = (
    "classification",
    "model_repository",
    "model_repository(unload_dependents)",
    "schedule_policy",
    "model_configuration",
    "binary_tensor_data",
    "parameters",
    "statistics",
)
_PLATFORMS = {
    "onnxruntime": ("onnxruntime_onnx", "onnxruntime"),
    "onnxruntime-tensorrt": ("onnxruntime_onnx", "onnxruntime"),
    "tensorrt": ("tensorrt_plan", "tensorrt"),
    "openvino": ("openvino", "openvino"),
}
"""Triton's platform and backend for a runtime; others go by their own name."""


def server_metadata(version: str) -> ServerMetadata:
    return ServerMetadata(name="stride", version=version, extensions=list(EXTENSIONS))


def model_metadata(info: ModelInfo) -> ModelMetadata:
    """Only `pixels`: generic clients send every input that is declared."""
    size, classes = info.manifest.input.size, len(info.manifest.labels)
    return ModelMetadata(
        name=info.id,
        versions=[ONLY_VERSION],
        platform=_platform(info)[0],
        inputs=[TensorMetadata(name=PIXELS, datatype="UINT8", shape=[-1, size, size, 3])],
        outputs=[TensorMetadata(name=LOGITS, datatype="FP32", shape=[-1, classes])],
    )


def model_config(info: ModelInfo, takes: Signature, timeout: float) -> dict[str, Any]:
    """Triton's ModelConfig as JSON; `timeout` in seconds. `max_batch_size` is what one request may
    bring, as clients read it; what one engine call takes stands under `parameters`."""
    platform, backend = _platform(info)
    return {
        "name": info.id,
        "platform": platform,
        "backend": backend,
        "version_policy": {"latest": {"num_versions": 1}},
        "max_batch_size": takes.max_images,
        "input": [_input(takes.size)],
        "output": [_output(len(takes.labels))],
        "instance_group": [_instances(info)],
        "dynamic_batching": _batching(info, timeout),
        "default_model_filename": info.manifest.variants[0].file,
        "parameters": {
            name: {"string_value": str(value)}
            for name, value in {
                "runtime": info.runtime,
                "engine": info.engine,
                "precision": info.manifest.precision,
                "threads": info.threads,
                "engine_max_batch": info.max_batch,
                "policy": info.batching.policy,
            }.items()
        },
        "model_warmup": [],
    }


def _platform(info: ModelInfo) -> tuple[str, str]:
    return _PLATFORMS.get(info.runtime, (info.runtime, info.runtime))


def _input(size: int) -> dict[str, Any]:
    return {
        "name": PIXELS,
        "data_type": "TYPE_UINT8",
        "format": "FORMAT_NHWC",
        "dims": [size, size, 3],
        "is_shape_tensor": False,
        "allow_ragged_batch": False,
        "optional": False,
    }


def _output(classes: int) -> dict[str, Any]:
    return {
        "name": LOGITS,
        "data_type": "TYPE_FP32",
        "dims": [classes],
        "label_filename": "",
        "is_shape_tensor": False,
    }


def _instances(info: ModelInfo) -> dict[str, Any]:
    on_cpu = info.device == "cpu"
    return {
        "name": info.id,
        "kind": "KIND_CPU" if on_cpu else "KIND_GPU",
        "count": info.instances,
        "gpus": [] if on_cpu else [int(info.device.partition(":")[2] or 0)],
    }


def _batching(info: ModelInfo, timeout: float) -> dict[str, Any]:
    """Two lanes: priority 1, which is the default, and the one behind it."""
    return {
        "preferred_batch_size": [],
        "max_queue_delay_microseconds": round((info.batching.delay or 0.0) * 1e6),
        "preserve_ordering": False,
        "priority_levels": 2,
        "default_priority_level": 1,
        "default_queue_policy": {
            "timeout_action": "REJECT",
            "default_timeout_microseconds": round(timeout * 1e6),
            "allow_timeout_override": True,
            "max_queue_size": info.queue_capacity,
        },
    }
