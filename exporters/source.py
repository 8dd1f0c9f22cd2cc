"""A loaded network on its way into files. What several of them start from is made once: the
original's answers, a traced graph per set of rewrites, the ranges of its feature maps."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import nn

from exporters.calibration import Ranges, collect_ranges
from exporters.calibration_pictures import CalibrationPictures, generated
from exporters.onnx_export import to_onnx
from exporters.original import Original
from exporters.rewrites import Rewritten, rewrite
from exporters.rewrites.prelude import pixels_in
from inference.reference import Reference
from measuring.errors import InputError
from measuring.pictures import varied_pictures
from models import Loaded

GOLDEN = 16
GOLDEN_SEED = 0

Report = Callable[[str], None]


def silent(step: str) -> None:
    """Where nobody watches."""


@dataclass(frozen=True)
class Graph32:
    """A float32 graph, uint8 (N, H, W, 3) to logits, and the rewrites that applied."""

    model: ModelProto
    rewrites: tuple[str, ...]


@dataclass(frozen=True)
class Golden:
    """The golden pictures with the original's answers in float64, and in float32 beside them."""

    reference: Reference
    rounded: NDArray[np.float64]


class Source:
    """`calibration`: gives the pictures that int8 is calibrated on, when they are first needed; by
    default generated ones."""

    def __init__(
        self,
        loaded: Loaded,
        network: str,
        *,
        calibration: Callable[[], CalibrationPictures] | None = None,
        report: Report = silent,
    ) -> None:
        self.loaded = loaded
        self.network = network
        self.report = report
        self.original = Original(loaded.network, loaded.input_spec)
        self._calibration = calibration or (lambda: generated(loaded.input_spec))
        # Drawn once: every variant is held to the same fresh pictures.
        self.seed = secrets.randbits(32)
        self._chains: dict[tuple[str, ...], Rewritten] = {}
        self._graphs: dict[tuple[str, ...], Graph32] = {}
        self._ranges: dict[tuple[str, ...], Ranges] = {}

    def applied(self, rewrites: tuple[str, ...]) -> tuple[str, ...]:
        """Those of `rewrites` that apply to the network."""
        return self._rewritten(rewrites).applied

    def chain(self, rewrites: tuple[str, ...]) -> nn.Sequential:
        """The network from pixels to logits with those of `rewrites` that apply; not to change."""
        return self._rewritten(rewrites).chain

    def graph(self, rewrites: tuple[str, ...]) -> Graph32:
        """The graph with those of `rewrites` that apply; raises as `to_onnx` does."""
        applied = self.applied(rewrites)
        if applied not in self._graphs:
            self.report(f"export: {self.network}, rewritten by {', '.join(applied) or 'nothing'}")
            model = to_onnx(self.chain(rewrites), self.loaded.input_spec.size)
            self._graphs[applied] = Graph32(model, applied)
        return self._graphs[applied]

    def _rewritten(self, rewrites: tuple[str, ...]) -> Rewritten:
        if rewrites not in self._chains:
            chain = pixels_in(self.loaded.network, self.loaded.input_spec)
            self._chains[rewrites] = rewrite(chain, rewrites)
        return self._chains[rewrites]

    def ranges(self, graph: Graph32) -> Ranges:
        """What the graph's feature maps hold over the calibration pictures."""
        if graph.rewrites not in self._ranges:
            pixels = self.calibration.pixels
            if not self._ranges:
                self.report(f"calibrate: on {len(pixels)} pictures, {self.calibration.source}")
            self._ranges[graph.rewrites] = collect_ranges(graph.model, pixels)
        return self._ranges[graph.rewrites]

    @cached_property
    def calibration(self) -> CalibrationPictures:
        """Raises InputError where the user's folder has none that can be read."""
        return self._calibration()

    @cached_property
    def golden(self) -> Golden:
        """Raises InputError for a network whose answers are no use as a reference."""
        spec, classes = self.loaded.input_spec, len(self.loaded.labels)
        pixels = varied_pictures(GOLDEN, spec.size, GOLDEN_SEED)
        logits = self.original.logits(pixels, torch.float64)
        if logits.shape != (GOLDEN, classes) or classes < 2:
            raise InputError(
                f"the network answers {logits.shape} for {GOLDEN} pictures and there are {classes} "
                "labels, expected one logit per label and at least two; check --labels"
            )
        if not np.isfinite(logits).all():
            raise InputError(
                f"the weights of {self.loaded.source} give logits that are not finite, expected "
                "numbers; the checkpoint is damaged or of a training that diverged"
            )
        rounded = self.original.logits(pixels, torch.float32)
        return Golden(Reference(pixels, logits), rounded)
