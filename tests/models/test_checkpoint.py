import os
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from measuring.errors import InputError
from models.catalog import create
from models.checkpoint import classes_in, load_state, read_state


def _network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 5))


def _save(content: object, path: Path) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    "container",
    [
        "state_dict",
        "model_state_dict",
        "model_state",
        "model",
        "state_dict_ema",
        "model_ema",
        "ema",
    ],
)
def test_checkpoint_in_a_container_is_unwrapped(tmp_path: Path, container: str) -> None:
    state = _network().state_dict()
    path = _save({"epoch": 3, container: state}, tmp_path / "a.pth")

    assert list(read_state(path)) == list(state)


def test_checkpoint_prefers_the_weights_to_their_average(tmp_path: Path) -> None:
    plain, average = {"w": torch.zeros(1)}, {"w": torch.ones(1)}
    path = _save({"state_dict_ema": average, "state_dict": plain}, tmp_path / "a.pt")

    assert read_state(path)["w"].item() == 0


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod."])
def test_checkpoint_of_a_wrapped_network_loses_the_prefix(tmp_path: Path, prefix: str) -> None:
    state = _network().state_dict()
    path = _save({prefix + key: tensor for key, tensor in state.items()}, tmp_path / "a.pth")

    assert list(read_state(path)) == list(state)


def test_checkpoint_survives_safetensors(tmp_path: Path) -> None:
    original, copy = _network().eval(), _network().eval()
    save_file(original.state_dict(), tmp_path / "a.safetensors")
    images = torch.randn(2, 3, 4, 4)

    load_state(copy, read_state(tmp_path / "a.safetensors"))

    assert torch.equal(original(images), copy(images))


class _Malicious:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.victim),)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "bare-pickle"])
def test_checkpoint_that_would_run_code_is_refused_unrun(tmp_path: Path, legacy: bool) -> None:
    path, victim = tmp_path / "a.pth", tmp_path / "victim"
    if legacy:
        path.write_bytes(pickle.dumps(_Malicious(victim)))
    else:
        _save({"state_dict": _Malicious(victim)}, path)

    with pytest.raises(InputError, match="holds more than tensors"):
        read_state(path)

    assert not victim.exists()


def test_checkpoint_of_a_whole_network_says_how_to_save_it(tmp_path: Path) -> None:
    path = _save(_network(), tmp_path / "a.pth")

    with pytest.raises(InputError, match=r"torch\.save\(network\.state_dict\(\), PATH\)") as caught:
        read_state(path)

    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(torch.zeros(3), "holds a Tensor, expected named tensors", id="tensor"),
        pytest.param({}, "holds nothing, expected named tensors", id="empty"),
        pytest.param({"epoch": 3}, "'epoch' is a int, expected a tensor", id="no-tensors"),
        pytest.param({"w": torch.tensor([1.0, torch.nan])}, "w holds values that", id="nan"),
    ],
)
def test_checkpoint_without_a_state_is_refused(
    tmp_path: Path, content: object, message: str
) -> None:
    path = _save(content, tmp_path / "a.pth")

    with pytest.raises(InputError, match=message):
        read_state(path)


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"PK\x03\x04", b"\x80\x02}q"])
def test_checkpoint_that_is_damaged_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(InputError, match=re.escape(str(path))):
        read_state(path)


def test_checkpoint_cut_short_is_refused(tmp_path: Path) -> None:
    path = _save(_network().state_dict(), tmp_path / "a.pth")
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(InputError, match="is damaged"):
        read_state(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing.pth", "there is no such file"), ("a.onnx", r"\.pth or \.pt or \.safetensors")],
)
def test_checkpoint_of_a_wrong_name_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_state(tmp_path / name)


def test_state_with_missing_and_unexpected_keys_lists_both_and_changes_nothing() -> None:
    network = _network()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    state = {key: tensor + 1 for key, tensor in before.items() if key != "0.bias"}

    with pytest.raises(InputError) as caught:
        load_state(network, {**state, "extra": torch.zeros(1)})

    assert "1 keys missing: 0.bias" in str(caught.value)
    assert "1 keys unexpected: extra" in str(caught.value)
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())


def test_state_of_another_network_lists_the_first_keys_and_counts_the_rest() -> None:
    with pytest.raises(
        InputError, match=r"8 keys missing: .*; 122 keys unexpected: .* and 114 more"
    ):
        load_state(_network(), create("resnet18").state_dict())


def test_state_of_another_shape_shows_both() -> None:
    state = {**_network().state_dict(), "0.weight": torch.zeros(4, 3, 5, 5)}

    with pytest.raises(InputError, match=r"0\.weight \(4, 3, 5, 5\) instead of \(4, 3, 3, 3\)"):
        load_state(_network(), state)


def test_state_of_integers_is_refused() -> None:
    state = {**_network().state_dict(), "0.bias": torch.zeros(4, dtype=torch.int8)}

    with pytest.raises(InputError, match=r"0\.bias torch\.int8 instead of torch\.float32"):
        load_state(_network(), state)


def test_state_with_another_number_of_classes_says_which() -> None:
    state = {**_network().state_dict(), "3.weight": torch.zeros(7, 16), "3.bias": torch.zeros(7)}

    with pytest.raises(InputError, match="create it with num_classes=7"):
        load_state(_network(), state)


def test_state_without_batch_counts_loads_as_old_checkpoints_do() -> None:
    network, state = _network(), _network().state_dict()
    del state["1.num_batches_tracked"]

    load_state(network, state)

    assert torch.equal(network.state_dict()["0.weight"], state["0.weight"])


def test_state_in_half_precision_becomes_single() -> None:
    network, state = _network(), _network().half().state_dict()

    load_state(network, state)

    assert network.state_dict()["0.weight"].dtype == torch.float32


@pytest.mark.parametrize("name", ["fasternet_t0", "mobilenet_v3_small", "resnet18"])
def test_classes_are_read_from_the_checkpoint(name: str) -> None:
    assert classes_in(create(name, 7).state_dict(), name) == 7


def test_classes_of_another_network_are_not_found() -> None:
    with pytest.raises(InputError, match=r"not of resnet18: it has no classifier fc\.weight"):
        classes_in(create("fasternet_t0").state_dict(), "resnet18")
