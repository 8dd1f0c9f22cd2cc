"""An ONNX graph built into a TensorRT plan. The only file of this package that imports TensorRT.

Written to the Python API that 10.16 and 11.4 have in common.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorrt as trt

from exporters.plan_options import PlanOptions, plan_bound_to
from exporters.timing_cache import read_timing_cache, timing_cache_path, write_timing_cache
from inference.binding import machine_facts
from inference.cuda_device import current_gpu
from inference.errors import RuntimeMissingError
from inference.tensorrt_engine import PIXELS, Log
from measuring.errors import CheckError, InputError


@dataclass(frozen=True)
class BuiltPlan:
    """`plan`: what a runtime deserializes; `log`: all that TensorRT said while it built it;
    `bound_to`: what a machine must have to run it."""

    plan: bytes
    log: str
    bound_to: dict[str, str]


def build_plan(onnx: bytes, options: PlanOptions, *, cache_folder: Path | None = None) -> BuiltPlan:
    """Every tensor keeps the type the ONNX graph gives it: fp16 and int8 are written in the graph.

    Raises RuntimeMissingError without a GPU, InputError with the parser's messages for a graph
    that TensorRT does not take, CheckError with the log's errors where the build fails.
    """
    facts = machine_facts(current_gpu(), tensorrt=trt.__version__)
    log = Log()
    try:
        builder = trt.Builder(log)
    except TypeError as error:  # what the bindings raise when TensorRT makes none
        raise RuntimeMissingError(f"TensorRT cannot build here: {log.errors()}") from error
    network = _parse(builder, onnx, log)
    config = _configure(builder, network, options)
    timings = timing_cache_path(facts, cache_folder)
    cache = _attach_timings(config, read_timing_cache(timings), log)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise CheckError(
            f"TensorRT {trt.__version__} could not build the plan: {log.errors()}; "
            "with too little memory, try a smaller --max-batch"
        )
    if not write_timing_cache(timings, bytes(cache.serialize())):
        log.lines.append(f"WARNING: the timing cache {timings} cannot be written")
    bound_to = plan_bound_to(facts, options)
    return BuiltPlan(bytes(plan), "\n".join(log.lines) + "\n", bound_to)


def _parse(builder: Any, onnx: bytes, log: Log) -> Any:
    # Version 11 knows no other typing and ignores the flag.
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(onnx):
        errors = [parser.get_error(index) for index in range(parser.num_errors)]
        told = "; ".join(f"node {e.node()} {e.node_operator()}: {e.desc()}" for e in errors)
        raise InputError(
            f"TensorRT {trt.__version__} does not take the graph: {told or log.errors()}; "
            "expected operators that its ONNX parser supports"
        )
    return network


def _configure(builder: Any, network: Any, options: PlanOptions) -> Any:
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace)
    # On by default, and it would round float32 to 10 bits of mantissa.
    config.clear_flag(trt.BuilderFlag.TF32)
    if options.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    level = getattr(trt.HardwareCompatibilityLevel, options.hardware.upper())
    config.hardware_compatibility_level = level
    _, *picture = tuple(network.get_input(0).shape)
    batch = options.batch
    shapes = [(n, *picture) for n in (batch.minimum, batch.optimum, batch.maximum)]
    profile = builder.create_optimization_profile()
    profile.set_shape(PIXELS, *shapes)
    if config.add_optimization_profile(profile) < 0:
        raise CheckError(f"TensorRT refused the batch profile {shapes}")
    return config


def _attach_timings(config: Any, kept: bytes, log: Log) -> Any:
    """The cache that the build adds to: the one kept, or an empty one where that does not fit."""
    for data in (kept, b""):
        cache = config.create_timing_cache(data)
        if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
            return cache
    raise CheckError(f"TensorRT took no timing cache, not even an empty one: {log.errors()}")
