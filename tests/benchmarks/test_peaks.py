"""Peaks and networks' graphs at a tiny size: what is timed is what it says."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from benchmarks import network_graphs, peaks
from benchmarks.matrix_graph import convolution, matrix_product
from benchmarks.network_graphs import network_graph, settled, torch_network
from benchmarks.roofline import roof
from benchmarks.run_graph import run_graph, session
from measuring.errors import InputError
from measuring.timing import Schedule
from models import create
from tests.benchmarks.hand_made import MACHINE

TINY = Schedule(runs=2, seconds=0.0, warmup=0, blocks=2, settle=0)


def test_measured_peaks_make_a_roof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks, "SIDE", 32)
    monkeypatch.setattr(peaks, "SIZES", (4096, 65_536))
    monkeypatch.setattr(peaks, "LEAST_BYTES", 65_536)
    monkeypatch.setattr(peaks, "CONVOLUTIONS", ((3, 8),))

    found = peaks.measure_peaks(1, MACHINE, TINY)

    products = [m for m in found if m.settings["what"] == "gemm"]
    assert {m.settings["precision"] for m in products} == {"fp32", "bf16", "int8"}
    assert {m.settings["macs"] for m in products} == {32**3, 256 * 256 * 9 * 64}
    moved = [m.settings["bytes"] for m in found if m.settings["what"] == "copy"]
    assert moved == [65_536, 65_536]
    above = roof(found, threads=1)
    assert above.macs > 0
    assert [size for size, _ in above.bandwidth] == [4096, 65_536]


def test_peaks_leave_torchs_threads_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SIDE", 32), ("SIZES", (4096,)), ("LEAST_BYTES", 4096)):
        monkeypatch.setattr(peaks, name, value)
    monkeypatch.setattr(peaks, "CONVOLUTIONS", ())
    before = torch.get_num_threads()

    found = peaks.measure_peaks(2, MACHINE, TINY)

    assert torch.get_num_threads() == before
    assert {m.settings["bytes"] for m in found if m.settings["what"] == "copy"} == {8192}


def test_products_are_products() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((2, 8, 8), np.float32)
    unsigned = rng.integers(0, 255, (8, 8), np.uint8)
    signed = rng.integers(-127, 127, (8, 8), np.int8)
    weights = rng.standard_normal((4, 8, 3, 3), np.float32)
    maps = rng.standard_normal((1, 8, 6, 6), np.float32)

    def answer(graph: bytes, given: object) -> Any:
        return session(graph, threads=1).run(None, {"x": given})[0]

    np.testing.assert_allclose(answer(matrix_product(right), left), left @ right, rtol=1e-5)
    expected = unsigned.astype(np.int32) @ signed.astype(np.int32)
    np.testing.assert_array_equal(answer(matrix_product(signed), unsigned), expected)
    convolved = nn.functional.conv2d(torch.from_numpy(maps), torch.from_numpy(weights), padding=1)
    np.testing.assert_allclose(
        answer(convolution(weights, 6), maps), convolved, rtol=1e-4, atol=1e-5
    )


def test_runtime_that_is_none_is_an_error() -> None:
    with pytest.raises(InputError, match="runtime 'tvm': expected one of onnxruntime, openvino"):
        run_graph("tvm", b"", np.zeros(1), threads=1)


@pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed")
def test_openvino_runs_what_it_is_given() -> None:
    right = np.eye(8, dtype=np.float32)

    call = run_graph("openvino", matrix_product(right), np.ones((8, 8), np.float32), threads=1)

    assert call() is not None


def test_settled_network_keeps_signals_of_a_usual_size() -> None:
    network = settled(lambda: create("mobilenet_v2"), 64)
    seen: list[float] = []
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(lambda *called: seen.append(float(called[2].std())))

    with torch.no_grad():
        network(network_graphs.images(2, 64))

    assert not network.training
    assert len(seen) > 50
    assert 0.3 < min(seen) <= max(seen) < 3.0


def test_graph_is_made_once_and_answers_as_pytorch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "fasternet_t0"
    graph = network_graph(name, "onnxruntime", folder=tmp_path)
    monkeypatch.setattr(network_graphs, "to_onnx", None)  # another one would fail

    again = network_graph(name, "openvino", folder=tmp_path)

    assert again == graph, "only networks with shuffles have a graph for each runtime"
    pixels = network_graphs.pictures(1, 224)
    (logits,) = session(graph, threads=1).run(None, {"pixels": pixels})
    with torch.inference_mode():
        expected = torch_network(name)(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-3)
    assert onnx.load_from_string(graph).graph.input[0].name == "pixels"
