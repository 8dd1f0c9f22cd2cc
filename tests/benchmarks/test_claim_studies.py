"""What the claims are judged by, measured at a tiny size."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from benchmarks.claims import fit, training_memory
from benchmarks.claims.evidence import CENTRES, SIMILARITY
from benchmarks.claims.fit import Task, students, tasks, taught
from benchmarks.claims.network_contests import AGAINST, EFFICIENT, contests
from benchmarks.claims.trained import filter_centres, measure_trained, partners, pixels_of
from benchmarks.network_graphs import settled
from benchmarks.operators import Run
from measuring.errors import CheckError, InputError
from measuring.input_spec import InputSpec
from measuring.percentiles import least_count
from models import Loaded, create, names
from models.operators import PartialPointwiseConv, merge_t_shape
from tests.benchmarks.hand_made import MACHINE


def test_pair_learns_a_convolution_that_is_such_a_pair() -> None:
    torch.manual_seed(0)
    pair = PartialPointwiseConv(16, 16)
    merged = merge_t_shape(pair[0], pair[1])  # type: ignore[arg-type]
    weight = torch.zeros(16, 16, 3, 3)
    weight[:, :4] = merged.square.weight.detach()
    weight[:, 4:, 1:2, 1:2] = merged.point.weight.detach()
    maps = torch.randn(fit.PICTURES, 16, 6, 6)
    task = Task("made", weight, maps)

    errors = {
        name: taught(student, task, steps=400, seed=0) for name, student in students(16).items()
    }

    assert errors["partial"] < 0.3 * min(errors["depthwise"], errors["group"])


def test_fit_is_the_same_again() -> None:
    task = Task("random", torch.randn(16, 16, 3, 3), torch.randn(fit.PICTURES, 16, 6, 6))

    def error() -> float:
        torch.manual_seed(3)
        return taught(students(16)["group"], task, steps=5, seed=1)

    assert error() == pytest.approx(error(), rel=1e-6)


def test_tasks_are_scaled_and_the_networks_own() -> None:
    network = settled(lambda: create("resnet50"), 32)

    (task,) = tasks(network, ["layer1.1.conv2"])

    answers = nn.functional.conv2d(task.maps, task.weight, padding=1)
    assert answers.std() == pytest.approx(1.0, rel=1e-4)
    ratio = task.weight / network.get_parameter("layer1.1.conv2.weight").detach()
    assert ratio.std() / ratio.mean() < 1e-4


def test_training_takes_more_memory_than_inference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_memory, "NETWORKS", ("shufflenet_v2_x0_5",))
    monkeypatch.setattr(training_memory, "BATCH", 4)

    (measured,) = training_memory.measure_memory(MACHINE, quick=True)

    assert float(str(measured.settings["training"])) > 2 * float(
        str(measured.settings["inference"])
    )
    assert measured.settings["parameters"] == 1_366_792


def test_training_that_cannot_run_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_memory, "NETWORKS", ("shufflenet_v2_x0_5",))
    monkeypatch.setattr(training_memory, "BATCH", -1)

    with pytest.raises(CheckError, match="training shufflenet_v2_x0_5 for its memory ended with"):
        training_memory.measure_memory(MACHINE, quick=True)


def test_filter_centres_counts_where_the_norm_is() -> None:
    dense = nn.Conv2d(2, 4, 3, bias=False)
    with torch.no_grad():
        dense.weight.fill_(0.1)
        dense.weight[:3, :, 1, 1] = 1.0
        dense.weight[3, :, 0, 2] = 1.0
    network = nn.Sequential(dense, nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 4, 1))

    found = filter_centres(network)

    assert (found["filters"], found["centre_first"]) == (4, 0.75)
    assert found["centre_share"] == pytest.approx((3 * 1 / 1.08 + 0.01 / 1.08) / 4, rel=1e-5)
    assert filter_centres(nn.Linear(2, 2))["filters"] == 0


def test_partners_are_found_whichever_way_they_go() -> None:
    torch.manual_seed(0)
    one, other = torch.randn(2, 5, 8, 8)
    maps = torch.stack([one, -2 * one + 3, other], dim=1)

    assert partners(maps).tolist()[:2] == pytest.approx([1.0, 1.0])
    assert partners(maps)[2] < 0.5


def loaded(classes: int, *, trained: bool) -> Loaded:
    network = settled(lambda: create("shufflenet_v2_x0_5", classes), 64)
    labels = tuple(f"class {index}" for index in range(classes))
    spec = InputSpec(size=64, resize=72)
    return Loaded(network, spec, labels, "mine.pth", "0" * 64, trained, None, None, "given")


@pytest.mark.parametrize(
    ("classes", "trained", "counts"),
    [
        pytest.param(1000, True, True, id="imagenet"),
        pytest.param(10, True, False, id="a-small-stand-in"),
        pytest.param(1000, False, False, id="untrained"),
    ],
)
def test_weights_count_only_when_imagenet_taught_them(
    tmp_path: Path, classes: int, trained: bool, counts: bool
) -> None:
    rng = np.random.default_rng(0)
    for index in range(2):
        pixels = rng.integers(0, 255, (80, 90, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")

    found = measure_trained("shufflenet_v2_x0_5", loaded(classes, trained=trained), tmp_path,
                            MACHINE)  # fmt: skip

    assert [measured.name for measured in found] == [CENTRES, SIMILARITY]
    assert all(measured.settings["imagenet"] is counts for measured in found)
    assert found[1].settings["pictures"] == 2


def test_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.jpg"):
        pixels_of(tmp_path, InputSpec())


def test_contests_are_of_networks_that_exist() -> None:
    for quick in (True, False):
        found = contests(quick=quick)
        entered = {name for contest in found for name in contest.builds}
        assert {name.partition(" ")[0] for name in entered} <= set(names())
        assert {"resnet50", "efficientnet_b0", "efficientnet_b5", "regnet_x_8gf"} <= entered
    assert set(EFFICIENT) | set(AGAINST) <= entered


@pytest.mark.parametrize("quick", [True, False])
def test_schedules_allow_the_median_and_the_interval_that_verdicts_rest_on(quick: bool) -> None:
    schedules = [contest.schedule for contest in contests(quick=quick)]
    for schedule in (*schedules, Run(MACHINE, quick=quick).schedule):
        assert schedule.runs_of_visit * schedule.blocks >= least_count(50.0)
        # Were two equally fast, all blocks would agree on one of them as often as this.
        assert 2.0 ** (1 - schedule.blocks) < 0.05


def test_variants_of_fasternet_differ_in_what_they_say() -> None:
    (variants,) = [contest for contest in contests(quick=False) if contest.name == "variants"]
    builds = variants.builds

    def count(name: str) -> int:
        build = builds[name]
        assert build is not None
        return sum(p.numel() for p in build().parameters())

    whole = sum(p.numel() for p in create("fasternet_t0").parameters())
    assert count("fasternet_t0 with 1/8") < whole < count("fasternet_t0 with 1/2")
    assert count("fasternet_t0 with ReLU") == whole
