"""Times operators and blocks, ten layers each, in every runtime at hand; `stride operators`."""

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.contrasts import contrast
from benchmarks.operator_cases import LAYERS, MAPS, Case, guideline_cases, operator_cases, stacked
from benchmarks.pieces import measured_piece
from benchmarks.run_graph import available, run_graph
from measuring.machine import Machine
from measuring.record import Measurement, Scalar
from measuring.timing import Schedule
from models.cost import ELEMENT_BYTES, cost

Call = Callable[[], object]

NAME = "operator"
FULL = Schedule(runs=20, seconds=0.3, warmup=2, blocks=10)
QUICK = Schedule(runs=12, seconds=0.02, warmup=1, blocks=6)
QUICK_MAPS = (MAPS[1],)
CUDA_BATCH = 32  # as in FasterNet's table 1
# What others are compared with, by table.
AGAINST = {
    "operator": (
        *("conv", "depthwise", "pointwise", "depthwise_x4", "depthwise_x6"),
        *("depthwise_separable", "t_shaped"),
    ),
    "block": ("partial_block",),
    "G1": ("1:1",),
    "G2": ("g1",),
    "G3": ("1 fragment",),
    "G4": ("no ReLU, no shortcut",),
}


@dataclass(frozen=True)
class Run:
    """What to measure: everything in short (`quick`) or at length."""

    machine: Machine
    threads: int = 1
    device: str = "cpu"
    quick: bool = False

    @property
    def schedule(self) -> Schedule:
        return QUICK if self.quick else FULL

    @property
    def batch(self) -> int:
        return CUDA_BATCH if self.device == "cuda" else 1

    def cases(self) -> dict[str, list[Case]]:
        """Those that are timed against one another, by place."""
        maps = QUICK_MAPS if self.quick else MAPS
        places: dict[str, list[Case]] = {}
        for case in (*operator_cases(maps), *guideline_cases()):
            places.setdefault(case.place, []).append(case)
        return places


def runtimes(device: str) -> tuple[str, ...]:
    """Eager PyTorch and every runtime that takes ONNX graphs on the device."""
    if device == "cuda":
        return ("torch", "onnxruntime")
    return ("torch", *available())


def measure_operators(
    run: Run, path: Path, *, fresh: bool = False, tables: Sequence[str] = tuple(AGAINST)
) -> Iterator[tuple[str, list[Measurement]]]:
    """Every place in every runtime, as it is done: its name and its records, kept in `path`."""
    for place, cases in run.cases().items():
        if cases[0].table not in tables:
            continue
        for runtime in runtimes(run.device):
            length = "quick" if run.quick else "full"
            piece = f"{place}, {runtime} {run.device}, {run.threads} threads, {length}"
            yield (
                piece,
                measured_piece(
                    path,
                    piece,
                    lambda cases=cases, runtime=runtime: _measure(cases, runtime, run),  # type: ignore[misc]
                    run.machine,
                    fresh=fresh,
                ),
            )


def pieces(run: Run, tables: Sequence[str] = tuple(AGAINST)) -> int:
    """How many pieces `measure_operators` gives."""
    places = [cases for cases in run.cases().values() if cases[0].table in tables]
    return len(places) * len(runtimes(run.device))


def _measure(cases: Sequence[Case], runtime: str, run: Run) -> list[Measurement]:
    calls = {case.name: _call(case, runtime, run) for case in cases}
    settings = {case.name: _settings(case, runtime, run) for case in cases}
    with torch_threads(run.threads):
        return contrast(
            NAME,
            calls,
            settings,
            AGAINST[cases[0].table],
            run.machine,
            run.schedule,
            synchronise=torch.cuda.synchronize if run.device == "cuda" else None,
        )


def _call(case: Case, runtime: str, run: Run) -> Call:
    torch.manual_seed(0)
    network = stacked(case.build).eval().requires_grad_(requires_grad=False)
    given = torch.randn(run.batch, case.times * case.channels, case.side, case.side)
    if runtime == "torch":
        on_device, maps = network.to(run.device), given.to(run.device)
        return torch.inference_mode()(lambda: on_device(maps))
    graph = operator_graph(network, given)
    return run_graph(runtime, graph, np.asarray(given), threads=run.threads, device=run.device)


def operator_graph(network: nn.Module, given: torch.Tensor) -> bytes:
    """`network` as an ONNX graph for inputs of just this shape.

    By PyTorch's older exporter: for these few operators it takes a tenth of the time, and there
    are a hundred graphs. Artifacts are made with `exporters.onnx_export`.
    """
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (given,),
            file,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=20,
            input_names=["x"],
        )
    return file.getvalue()


def _settings(case: Case, runtime: str, run: Run) -> dict[str, Scalar]:
    channels = case.times * case.channels
    counted = cost(stacked(case.build), case.side, channels=channels)
    weights = ELEMENT_BYTES * counted.parameters
    return {
        "table": case.table,
        "operator": case.name,
        "channels": case.channels,
        "side": case.side,
        "layers": LAYERS,
        "runtime": runtime,
        "device": run.device,
        "threads": run.threads,
        "batch": run.batch,
        "macs": run.batch * counted.macs,
        "bytes": run.batch * (counted.bytes_moved - weights) + weights,
        **{f"published {key}": value for key, value in case.published.items()},
    }


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
