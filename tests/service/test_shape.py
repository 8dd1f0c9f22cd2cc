import threading
import time
from pathlib import Path

import pytest

from inference.engine import Logits, Pixels
from measuring.cores import available_cores
from service.loading import choose, load
from service.settings import Batching, ModelSpec
from service.shape import MEMORY, Shape, best, candidates, saturate
from tests.service.fakes import FakeEngine, picture
from tests.tiny import write_tiny

KIB = 1024


@pytest.mark.parametrize(
    ("spec", "cores", "size", "expected"),
    [
        pytest.param(ModelSpec("m"), 4, KIB, {"1x4", "4x1"}, id="both-where-nothing-is-told"),
        pytest.param(ModelSpec("m"), 1, KIB, {"1x1"}, id="one-core"),
        pytest.param(ModelSpec("m", instances=2), 8, KIB, {"2x4"}, id="instances-told"),
        pytest.param(ModelSpec("m", instances=9), 8, KIB, {"9x1"}, id="more-instances-than-cores"),
        pytest.param(ModelSpec("m", threads=2), 8, KIB, {"4x2"}, id="threads-told"),
        pytest.param(ModelSpec("m", instances=2, threads=3), 8, KIB, {"2x3"}, id="both-told"),
        pytest.param(ModelSpec("m", device="cuda"), 8, KIB, {"1x8"}, id="gpu"),
        pytest.param(ModelSpec("m"), 64, MEMORY // 4, {"1x64", "4x16"}, id="large-file"),
        pytest.param(ModelSpec("m"), 8, 2 * MEMORY, {"1x8"}, id="huge-file"),
    ],
)
def test_candidates_are_what_is_not_told(
    spec: ModelSpec, cores: int, size: int, expected: set[str]
) -> None:
    assert set(map(str, candidates(spec, cores, size=size, answers=True))) == expected


def test_candidates_of_a_runtime_that_computes_nothing_are_not_measured() -> None:
    assert candidates(ModelSpec("m"), 8, size=KIB, answers=False) == (Shape(1, 8),)


@pytest.mark.parametrize(
    ("throughput", "expected"),
    [
        pytest.param({Shape(1, 4): 100.0, Shape(4, 1): 150.0}, Shape(4, 1), id="clearly-more"),
        pytest.param({Shape(1, 4): 100.0, Shape(4, 1): 104.0}, Shape(1, 4), id="a-tie"),
        pytest.param({Shape(1, 4): 150.0, Shape(4, 1): 100.0}, Shape(1, 4), id="clearly-less"),
    ],
)
def test_best_is_the_one_with_the_most_images(
    throughput: dict[Shape, float], expected: Shape
) -> None:
    assert best(throughput) == expected


def test_saturate_keeps_all_instances_busy_at_once() -> None:
    """Engines that answer only when all of them are inside: one after the other would never end."""
    together = threading.Barrier(3, timeout=30)

    class CrowdEngine(FakeEngine):
        def infer(self, pixels: Pixels) -> Logits:
            answer = super().infer(pixels)
            if len(self.calls) <= 2:
                together.wait()
            time.sleep(0.01)
            return answer

    shape = Shape(3, 1)
    engines = [CrowdEngine() for _ in range(3)]

    assert saturate({shape: engines}, picture(1))[shape] > 0
    assert all(len(engine.calls) >= 4 for engine in engines)


def test_saturate_with_an_engine_that_fails_says_so() -> None:
    class BrokenEngine(FakeEngine):
        def infer(self, pixels: Pixels) -> Logits:  # noqa: ARG002
            raise ValueError("no kernel for this")

    with pytest.raises(ValueError, match="no kernel for this"):
        saturate({Shape(1, 1): [BrokenEngine()]}, picture(1))


def test_load_measures_the_shape_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if available_cores() == 1:
        pytest.skip("one core leaves nothing to choose")
    caplog.set_level("INFO", "stride.load")
    write_tiny(tmp_path)
    (chosen,) = choose(tmp_path, [ModelSpec("tiny-onnx-fp32")])

    info = load(chosen, queue_capacity=3).info

    cores = available_cores()
    assert (info.instances, info.threads) in {(1, cores), (cores, 1)}
    assert f"images per second at saturation 1x{cores}: " in caplog.text


def test_load_without_batching_takes_requests_whole(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    spec = ModelSpec("tiny-onnx-fp32", instances=1, batching=Batching("none"))
    (chosen,) = choose(tmp_path, [spec])

    info = load(chosen, queue_capacity=3).info

    assert info.max_batch == 32
    assert info.batching.policy == "none"
