"""Profilers of both runtimes on a network whose arithmetic is known by hand."""

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.layer_times import OperationTime, profile, read_onnxruntime_profile
from benchmarks.layers import grouped, partial_shapes
from benchmarks.operation_kinds import KINDS, kind, macs
from benchmarks.operators import operator_graph
from measuring.errors import InputError
from models import cost
from models.operators import DepthwiseConv, GroupConv, PartialConv

RUNTIMES = [
    "onnxruntime",
    pytest.param(
        "openvino",
        marks=pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed"),
    ),
]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        DepthwiseConv(32),
        GroupConv(32, 32, groups=4),
        PartialConv(32, 2),
        nn.Conv2d(32, 16, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 5),
    ).eval()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_operations_do_the_arithmetic_of_the_network(runtime: str) -> None:
    made, given = network(), torch.randn(1, 16, 12, 12)

    found = profile(runtime, operator_graph(made, given), given.numpy(), threads=1, runs=3)

    partial = partial_shapes(made)
    kinds = {kind(operation, partial) for operation in found}
    assert sum(map(macs, found)) == cost(made, 12, channels=16).macs
    assert {"regular", "depthwise", "grouped", "partial", "pointwise", "linear"} <= kinds
    assert kinds <= set(KINDS)
    assert all(len(operation.seconds) == 3 for operation in found)
    assert all(operation.moved > 0 for operation in found)


def test_unknown_runtime_has_no_profiler() -> None:
    with pytest.raises(InputError, match="no profiler for 'torch'"):
        profile("torch", b"", np.zeros(1), threads=1, runs=1)


def event(name: str, microseconds: int) -> dict[str, Any]:
    return {
        "cat": "Node", "name": f"{name}_kernel_time", "dur": microseconds,
        "args": {
            "op_name": "Conv",
            "input_type_shape": [{"float": [1, 8, 4, 4]}, {"float": [16, 8, 1, 1]}],
            "output_type_shape": [{"float": [1, 16, 4, 4]}],
        },
    }  # fmt: skip


def test_profile_leaves_warm_up_and_other_events_out() -> None:
    events: list[dict[str, Any]] = [
        event("a", 900),
        {"cat": "Session", "name": "model_run"},
        event("a", 10),
    ]

    (operation,) = read_onnxruntime_profile(events, warm_up=1)

    assert operation == OperationTime(
        "a", "Conv", ((1, 8, 4, 4), (16, 8, 1, 1)), (1, 16, 4, 4),
        4 * (128 + 128 + 256), (pytest.approx(10e-6),),  # type: ignore[arg-type]
    )  # fmt: skip
    assert (kind(operation), macs(operation)) == ("pointwise", 16 * 16 * 8)


def test_groups_of_openvino_stand_in_front() -> None:
    operation = OperationTime(
        "a", "GroupConvolution", ((1, 8, 4, 4), (8, 1, 1, 3, 3)), (1, 8, 4, 4), 1, (1.0,)
    )

    assert operation.weights == (8, 1, 3, 3)
    assert (kind(operation), macs(operation)) == ("depthwise", 8 * 16 * 9)


def test_equal_operations_become_one_record() -> None:
    one = OperationTime("a", "Relu", ((1, 8, 4, 4),), (1, 8, 4, 4), 1024, (1.0, 2.0))
    other = OperationTime("b", "Relu", ((1, 8, 4, 4),), (1, 8, 4, 4), 1024, (0.5, 0.5))

    ((settings, seconds),) = grouped([one, other], frozenset())

    assert (settings["kind"], settings["count"], settings["bytes"]) == ("element-wise", 2, 2048)
    assert seconds == [1.5, 2.5]


def test_partial_convolutions_are_known_by_their_weights() -> None:
    assert (10, 10, 3, 3) in partial_shapes(PartialConv(40))
    assert (16, 16, 3, 3) in partial_shapes(PartialConv(40)), "as ONNX Runtime fills them up"
    assert partial_shapes(nn.Conv2d(8, 8, 3)) == frozenset()
