"""What PyTorch's engines promise on a GPU, on small networks with answers in float64 beside."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.gpu.device import seconds_of
from benchmarks.gpu.kernels import profiled
from inference.engine import Pixels
from inference.torch_arithmetic import refuse_short_cuts
from inference.torch_compiled_engine import compiled
from inference.torch_cudagraph_engine import RecordedNetwork
from inference.torch_engine import TorchEngine
from inference.torch_transfer import Network
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures
from models.pixels_in import PixelsIn

SIZE, CLASSES = 32, 10
# Of the answers' largest: what rounding in each type may come to in three layers.
CLOSE = {torch.float32: 1e-5, torch.float16: 2e-2, torch.bfloat16: 1e-1}

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]


def small(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1, groups=64),
        nn.Conv2d(64, 128, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(128, CLASSES),
    )


def on_gpu(seed: int = 0, dtype: torch.dtype = torch.float32) -> nn.Module:
    refuse_short_cuts()
    spec = InputSpec(size=SIZE, resize=SIZE)
    network = PixelsIn(small(seed).to(dtype), spec, dtype=dtype).eval()
    return network.to("cuda", memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def engine_of(network: Network) -> TorchEngine:
    return TorchEngine(network, name="torch cuda", size=SIZE, device="cuda")


def exact(pixels: Pixels, seed: int = 0) -> NDArray[np.float64]:
    spec = InputSpec(size=SIZE, resize=SIZE)
    network = PixelsIn(small(seed).double(), spec, dtype=torch.float64).eval()
    with torch.inference_mode():
        answers: NDArray[np.float64] = network(torch.from_numpy(pixels)).numpy()
    return answers


def assert_close(answers: NDArray[np.float32], pixels: Pixels, dtype: torch.dtype) -> None:
    expected = exact(pixels)
    limit = CLOSE[dtype] * float(np.abs(expected).max())
    np.testing.assert_allclose(answers, expected, rtol=0, atol=limit)


@pytest.mark.parametrize("dtype", list(CLOSE), ids=str)
def test_eager_answers_as_float64_on_a_processor(dtype: torch.dtype) -> None:
    engine = engine_of(on_gpu(dtype=dtype))
    for batch in (1, 5, 64, 3):  # the page-locked memory grows, and is used in part
        pixels = varied_pictures(batch, SIZE, seed=batch)
        assert_close(engine.infer(pixels), pixels, dtype)


@pytest.mark.parametrize("dtype", list(CLOSE), ids=str)
def test_recorded_answers_as_float64_on_a_processor(dtype: torch.dtype) -> None:
    engine = engine_of(RecordedNetwork(on_gpu(dtype=dtype), largest=8))
    for batch in (1, 8, 2, 9, 1, 8):  # beyond the largest, and again what was recorded
        pixels = varied_pictures(batch, SIZE, seed=batch)
        assert_close(engine.infer(pixels), pixels, dtype)


def test_answer_survives_the_next_call() -> None:
    engine = engine_of(RecordedNetwork(on_gpu()))
    pixels = varied_pictures(4, SIZE, seed=1)
    first = engine.infer(pixels[:2])
    kept = first.copy()
    assert not np.array_equal(engine.infer(pixels[2:]), kept)
    np.testing.assert_array_equal(first, kept)


def test_engines_side_by_side_do_not_disturb_one_another() -> None:
    """They record while others compute, from threads of their own."""
    pixels = [varied_pictures(8, SIZE, seed=seed) for seed in range(4)]
    # Made here: all threads have one random generator between them.
    networks = [on_gpu(seed) for seed in range(4)]
    answers_of = [exact(pixels[seed], seed) for seed in range(4)]

    def work(seed: int) -> None:
        engine = engine_of(RecordedNetwork(networks[seed]))
        expected = answers_of[seed]
        limit = CLOSE[torch.float32] * float(np.abs(expected).max())
        for batch in (1, 4, 8, 2, 8):
            for _ in range(20):
                answers = engine.infer(pixels[seed][:batch])
                np.testing.assert_allclose(answers, expected[:batch], rtol=0, atol=limit)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


def test_engine_is_usable_after_a_call_that_failed() -> None:
    network = on_gpu()

    def refuses_three(pixels: Tensor) -> Tensor:
        if len(pixels) == 3:
            raise RuntimeError("no three pictures")
        logits: Tensor = network(pixels)
        return logits

    engine = engine_of(refuses_three)
    pixels = varied_pictures(3, SIZE, seed=2)
    with pytest.raises(RuntimeError, match="no three pictures"):
        engine.infer(pixels)
    assert_close(engine.infer(pixels[:2]), pixels[:2], torch.float32)


def test_float32_is_no_tf32() -> None:
    refuse_short_cuts()
    torch.manual_seed(0)
    left, right = torch.randn(2, 256, 256, dtype=torch.float64)
    product = left.float().cuda() @ right.float().cuda()
    error = (product.cpu().double() - left @ right).norm() / (left @ right).norm()
    assert float(error) < 1e-5  # 3e-4 with TF32


@pytest.mark.filterwarnings("ignore")
def test_compiled_and_recorded_answers_as_float64_on_a_processor() -> None:
    network = compiled(on_gpu(dtype=torch.float16))
    for engine in (engine_of(network), engine_of(RecordedNetwork(network))):
        for batch in (1, 2, 7, 1):
            pixels = varied_pictures(batch, SIZE, seed=batch)
            assert_close(engine.infer(pixels), pixels, torch.float16)


def test_events_time_what_the_gpu_does() -> None:
    """The same product 16 times takes longer than once."""
    large = torch.randn(2048, 2048, device="cuda")
    for _ in range(3):
        _ = large @ large
    once = seconds_of(lambda: large @ large, 10, device="cuda")
    often = seconds_of(lambda: [large @ large for _ in range(16)], 10, device="cuda")
    assert 0 < once < often


def test_profile_counts_the_kernels_of_a_call() -> None:
    network = on_gpu(dtype=torch.float16)
    pixels = torch.zeros(2, SIZE, SIZE, 3, dtype=torch.uint8, device="cuda")
    with torch.inference_mode():
        found = profiled(lambda: network(pixels), device="cuda")
    assert 6 <= found.launches <= 60
    assert 0 < found.busy <= found.span
