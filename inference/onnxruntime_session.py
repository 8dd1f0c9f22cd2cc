"""ONNX Runtime sessions that compute where they were asked to, and nowhere else in silence.

The choices, for engines that share cores with decoding and other instances: one picture or batch
at a time (sequential, `inter_op` 1) on an explicit number of threads; idle threads sleep instead
of spinning, since a spinning thread takes the core that the next request is decoded on; the memory
arena stays on, since batches of a few sizes come again and again; arithmetic stays float32 on
processors that offer bfloat16 as a short cut.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import onnxruntime as ort  # type: ignore[import-untyped]

from inference.errors import ArtifactError, RuntimeMissingError

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
_ERRORS_ONLY = 3
# What ONNX Runtime says of a provider that its build lists and that cannot start on this machine.
_NOT_STARTED = (
    "TensorRT libraries",
    "CUDA_PATH is set",
    "driver version is insufficient",
    "no CUDA-capable device",
)

Providers = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class SessionSettings:
    """`providers` in order of preference, each with its options; `spinning` buys a little latency
    on cores that nothing else needs; `arena` keeps freed memory for the next batch."""

    threads: int
    providers: Providers = field(default_factory=lambda: {CPU: {}})
    spinning: bool = False
    arena: bool = True


def open_session(path: Path, settings: SessionSettings) -> ort.InferenceSession:
    """Raises ArtifactError for a file that ONNX Runtime refuses or would run elsewhere than on
    `providers`, RuntimeMissingError for a provider that is not there."""
    _require_providers(settings.providers)
    options = _options(settings)
    providers = [(name, dict(chosen)) for name, chosen in settings.providers.items()]
    try:
        session = ort.InferenceSession(path, options, providers=providers, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's errors share no other base class.
        if CPU not in settings.providers and any(told in str(error) for told in _NOT_STARTED):
            raise _not_started(next(iter(settings.providers))) from error
        raise ArtifactError(f"{path} cannot be opened by onnxruntime: {error}") from error
    if CPU not in settings.providers:
        require_placement(path, session, settings.providers)
    return session


def require_placement(path: Path, session: ort.InferenceSession, providers: Providers) -> None:
    """Raises ArtifactError if a node runs on another provider than these, as ONNX Runtime arranges
    in silence; RuntimeMissingError if the first of them could not be started or runs nothing."""
    wanted = next(iter(providers))
    if wanted not in session.get_providers():
        raise _not_started(wanted)
    placed: dict[str, list[str]] = {}
    for part in session.get_provider_graph_assignment_info():
        placed.setdefault(part.ep_name, []).extend(node.op_type for node in part.get_nodes())
    stray = sorted(
        {kind for name, kinds in placed.items() if name not in providers for kind in kinds}
    )
    if stray:
        raise ArtifactError(
            f"{path}: onnxruntime would run {', '.join(stray)} on the processor, expected all on "
            f"{' and '.join(providers)}; choose device cpu or another runtime"
        )
    if wanted not in placed:
        raise ArtifactError(
            f"{path}: onnxruntime runs no part of it on {wanted}; choose another runtime"
        )


def _not_started(provider: str) -> RuntimeMissingError:
    return RuntimeMissingError(
        f"onnxruntime has {provider} and could not start it: expected a GPU, its driver and the "
        'libraries that come with: pip install "stride[gpu]"'
    )


def _options(settings: SessionSettings) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _ERRORS_ONLY
    options.enable_cpu_mem_arena = settings.arena
    spinning = str(int(settings.spinning))
    options.add_session_config_entry("session.intra_op.allow_spinning", spinning)
    options.add_session_config_entry("mlas.enable_gemm_fastmath_arm64_bfloat16", "0")
    if CPU not in settings.providers:
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options


def _require_providers(providers: Providers) -> None:
    available = ort.get_available_providers()
    missing = [name for name in providers if name not in available]
    if missing:
        raise RuntimeMissingError(
            f"onnxruntime has no {' and no '.join(missing)} here, only {', '.join(available)}; "
            f"{_advice()}"
        )
    if CUDA in providers:
        ort.preload_dlls()  # those that pip installed lie where no loader looks


def _advice() -> str:
    """The packages for processors and for GPUs have the same files, and the last one stays."""
    try:
        gpu_version = version("onnxruntime-gpu")
    except PackageNotFoundError:
        return 'install it on a machine with an NVIDIA GPU with: pip install "stride[gpu]"'
    return (
        "onnxruntime has overwritten onnxruntime-gpu; remove both and install the one: pip "
        f"uninstall -y onnxruntime onnxruntime-gpu; pip install onnxruntime-gpu=={gpu_version}"
    )
