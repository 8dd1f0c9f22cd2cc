"""Writes the file of a recipe: a graph in the precision asked for, weights, or a plan."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import onnx
import torch
from onnx import ModelProto

from exporters.aoti_export import write_aoti
from exporters.departure import find_departure
from exporters.formats import Recipe
from exporters.half import to_half
from exporters.plan_options import PlanOptions
from exporters.quantise import SCHEMES
from exporters.sensitivity import Layer, quantise_within, worst_layer
from exporters.source import Graph32, Source
from exporters.tensorrt_plan import BUILD_LOG, PLAN, require_tensorrt, write_plan
from exporters.torch_export import write_torch
from inference.engine import Pixels
from inference.manifest import Format, Precision
from measuring.pictures import varied_pictures

_SEARCHED = 32  # pictures that int8 layers are chosen on, other ones than those calibrated on
_SEARCH_SEED = 1
# torch files hold the weights as they are computed with.
_DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}

# The runtime that failed, and pictures -> a clause that names the layer.
WorstLayer = Callable[[str, Pixels], str]


@dataclass(frozen=True)
class Written:
    """`files`: the one that is opened, and what else lies beside it; `rewrites`: those applied;
    `kept`: layers of an int8 file that stay in float; `bound`: how far from the original it may
    answer; `bound_to`: the machine it can only run on; `worst`: where it departs most, for a file
    that fails. A torch file runs as the network itself, and of a plan TensorRT gives out no layer:
    those have none, but a plan in fp16 or int8 is told from the graph that it was built from."""

    files: tuple[str, ...]
    bound: float
    rewrites: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    bound_to: dict[str, str] = field(default_factory=dict)
    worst: WorstLayer | None = None


@dataclass(frozen=True)
class Target:
    """What is written, and how far from the original its precision may answer; `plan`: how a
    TensorRT plan is built."""

    directory: Path
    format: Format
    precision: Precision
    bound: float
    plan: PlanOptions = field(default_factory=PlanOptions)


def write_file(target: Target, recipe: Recipe, source: Source) -> Written:
    """Raises InputError for a network that cannot be exported or lies outside what the precision
    can hold, CheckError for one that int8 changes too much, MissingError without what a plan is
    built with."""
    if target.format == "torch":
        return _write_weights(target, recipe, source)
    if target.format == "aoti":
        return _write_package(target, recipe, source)
    if target.format == "tensorrt":
        require_tensorrt()  # before minutes of work for nothing
    graph = source.graph(recipe.rewrites)
    made = _in_precision(target, recipe, graph, source)
    written = Written(
        files=(recipe.file,),
        bound=made.bound,
        rewrites=graph.rewrites,
        kept=made.kept,
        worst=_worst_of(target, graph, made.model, source),
    )
    if target.format == "tensorrt":
        bound_to = _write_plan(target, made.model)
        return replace(written, files=(PLAN, BUILD_LOG), bound_to=bound_to)
    onnx.save_model(made.model, target.directory / recipe.file)
    return written


@dataclass(frozen=True)
class _Made:
    """A graph in the precision asked for, and how far from the original it may answer."""

    model: ModelProto
    bound: float
    kept: tuple[str, ...] = ()


def _in_precision(target: Target, recipe: Recipe, graph: Graph32, source: Source) -> _Made:
    if target.precision == "fp16":
        return _Made(to_half(graph.model, source.ranges(graph)), target.bound)
    if target.precision != "int8":
        return _Made(graph.model, target.bound)
    pictures = varied_pictures(_SEARCHED, source.loaded.input_spec.size, _SEARCH_SEED)
    ranges = source.ranges(graph)
    quantised = quantise_within(
        graph.model, ranges, SCHEMES[recipe.scheme], pictures=pictures, bound=target.bound
    )
    source.report(f"quantise: {recipe.file}, {_kept(quantised.kept)}")
    # Tighter than the precision's: a processor whose sums overflow still keeps within that.
    kept = tuple(layer.name for layer in quantised.kept)
    return _Made(quantised.model, quantised.bound, kept)


def _kept(layers: tuple[Layer, ...]) -> str:
    if not layers:
        return "all layers in int8"
    names = ", ".join(layer.name for layer in layers)
    share = sum(layer.macs for layer in layers)
    return f"all layers in int8 but {len(layers)} ({share:.0%} of the arithmetic): {names}"


def _write_weights(target: Target, recipe: Recipe, source: Source) -> Written:
    dtype = _DTYPES[target.precision]
    write_torch(target.directory / recipe.file, source.loaded.network, dtype)
    return Written((recipe.file,), target.bound)


def _write_package(target: Target, recipe: Recipe, source: Source) -> Written:
    *_, network = source.chain(recipe.rewrites)
    (device,) = recipe.devices
    source.report(f"compile: {source.network} with AOTInductor for {device}")
    bound_to = write_aoti(
        target.directory / recipe.file, network, source.loaded.input_spec,
        dtype=_DTYPES[target.precision], device=device,
    )  # fmt: skip
    applied = source.applied(recipe.rewrites)
    return Written((recipe.file,), target.bound, rewrites=applied, bound_to=bound_to)


def _write_plan(target: Target, model: ModelProto) -> dict[str, str]:
    """The machine that the plan is bound to."""
    typed = target.directory / "typed.onnx"
    onnx.save_model(model, typed)
    try:
        return write_plan(target.directory, typed, target.plan)
    finally:
        typed.unlink()


def _worst_of(
    target: Target, graph: Graph32, model: ModelProto, source: Source
) -> WorstLayer | None:
    """A graph in lower precision is held to its float32 one, that one to the network."""

    def rounded(_: str, pictures: Pixels) -> str:
        name, noise = worst_layer(graph.model, model, pictures)
        return f"the layer that adds most error is {name} (by {noise:.2g} of its answer's variance)"

    def departed(runtime: str, pictures: Pixels) -> str:
        return find_departure(source, graph, runtime, target.precision, pictures).told

    if model is not graph.model:
        return rounded
    return departed if target.format == "onnx" else None
