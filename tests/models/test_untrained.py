from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from measuring.errors import CheckError
from measuring.pictures import varied_pictures
from models.catalog import create
from models.untrained import calibrate
from models.weights import WEIGHTS


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _calibrated(name: str, size: int, *, classes: int = 1000, seed: int = 0) -> nn.Module:
    network = create(name, classes).eval()
    spec = WEIGHTS[name].input_spec
    calibrate(network, size, seed=seed, mean=spec.mean, std=spec.std)
    return network


def _pixels(count: int, size: int, *, name: str, seed: int) -> Tensor:
    spec = WEIGHTS[name].input_spec
    pictures = torch.from_numpy(varied_pictures(count, size, seed)).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(channels).view(3, 1, 1) for channels in (spec.mean, spec.std))
    return (pictures / 255 - mean) / std


@pytest.mark.parametrize("name", ["fasternet_t0", "shufflenet_v2_x0_5", "mobilenet_v3_small"])
def test_untrained_network_tells_pictures_apart(name: str) -> None:
    network = _calibrated(name, 224)

    with torch.no_grad():
        logits = network(_pixels(64, 224, name=name, seed=77))

    first, second = logits.topk(2).values.unbind(1)
    assert len(set(logits.argmax(1).tolist())) >= 16
    assert 1 < logits.std() < 3
    assert logits.abs().max() < 100
    assert (first - second).median() > 0.5


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "mobilenet_v1", "regnet_y_400mf"])
def test_untrained_network_keeps_its_answers_under_small_errors(name: str) -> None:
    network = _calibrated(name, 96)
    pixels = _pixels(64, 96, name=name, seed=77)
    with torch.no_grad():
        answers = network(pixels).argmax(1)
        for parameter in network.parameters():
            parameter.copy_(parameter.half())
        rounded = network(pixels).argmax(1)

    assert (answers == rounded).float().mean() > 0.9


def test_untrained_network_is_the_same_for_the_same_seed() -> None:
    one, same, other = (
        _calibrated("shufflenet_v2_x0_5", 64, seed=seed).state_dict() for seed in (3, 3, 4)
    )

    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["conv1.0.weight"], other["conv1.0.weight"])


def test_untrained_network_sets_every_statistic() -> None:
    state = _calibrated("mobilenet_v2", 64).state_dict()

    for key, tensor in state.items():
        assert tensor.isfinite().all(), key
        if key.endswith("running_var"):
            assert tensor.min() > 0, key
            assert not torch.equal(tensor, torch.ones_like(tensor)), key


@pytest.mark.parametrize("training", [True, False])
def test_calibration_leaves_the_mode_and_no_hooks(training: bool) -> None:
    network = create("shufflenet_v2_x0_5").train(training)

    calibrate(network, 64)

    assert network.training is training
    for module in network.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("classes", [1, 2, 10, 40])
def test_untrained_network_with_few_classes_uses_at_least_half(classes: int) -> None:
    network = _calibrated("shufflenet_v2_x0_5", 64, classes=classes)

    with torch.no_grad():
        answers = network(_pixels(64, 64, name="shufflenet_v2_x0_5", seed=1)).argmax(1)

    assert len(set(answers.tolist())) >= min(16, (classes + 1) // 2)


def test_untrained_network_that_cannot_tell_pictures_apart_fails_the_check() -> None:
    blind = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1000))

    with pytest.raises(CheckError, match=r"only \d+ different top-1 classes .*, expected 16"):
        calibrate(blind, 32)


def test_network_without_a_classifier_fails_the_check() -> None:
    with pytest.raises(CheckError, match="no linear layer"):
        calibrate(nn.Conv2d(3, 4, 3), 32)
