"""Every network by its name, and what a wrong name is answered."""

import pytest
import torch

from measuring.errors import InputError
from models.catalog import create, names, sketch

LIGHT = {
    *(f"fasternet_{size}" for size in ("t0", "t1", "t2", "s", "m", "l")),
    *("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"),
    *("mobilenet_v4_conv_small", "mobilenet_v4_conv_medium"),
    *(f"shufflenet_v2_x{width}" for width in ("0_5", "1_0", "1_5", "2_0")),
}
REFERENCES = {
    *("resnet18", "resnet50", "efficientnet_b0", "efficientnet_b5"),
    *("regnet_x_400mf", "regnet_x_8gf", "regnet_y_400mf", "regnet_y_800mf"),
}


def test_names_lists_every_network_once() -> None:
    assert set(names()) == LIGHT | REFERENCES
    assert len(names()) == len(set(names()))


@pytest.mark.parametrize("name", names())
def test_create_builds_a_classifier_of_so_many_classes(name: str) -> None:
    with torch.device("meta"):
        network = create(name, num_classes=3).eval()

    assert network(torch.empty(2, 3, 64, 64, device="meta")).shape == (2, 3)


@pytest.mark.parametrize("name", ["fasternet_t0", "mobilenet_v2", "shufflenet_v2_x1_0"])
def test_create_leaves_the_network_in_training_mode_with_1000_classes(name: str) -> None:
    network = create(name)

    assert network.training
    assert list(network.parameters())[-1].shape == (1000,)


def test_create_refuses_an_unknown_name_and_offers_the_nearest() -> None:
    with pytest.raises(InputError, match=r"'mobilnet_v2'.*did you mean mobilenet_v2\?") as caught:
        create("mobilnet_v2")

    assert all(name in str(caught.value) for name in names())


def test_create_refuses_a_name_like_no_other_without_an_offer() -> None:
    with pytest.raises(InputError, match=r"'zzz': expected one of fasternet_t0, "):
        create("zzz")


@pytest.mark.parametrize("num_classes", [0, -1])
def test_create_refuses_less_than_one_class(num_classes: int) -> None:
    with pytest.raises(InputError, match=f"num_classes is {num_classes}, expected 1 or more"):
        create("resnet18", num_classes=num_classes)


def test_sketch_has_the_shapes_of_the_network_and_no_values() -> None:
    sketched = {key: value.shape for key, value in sketch("fasternet_t0", 7).state_dict().items()}
    created = {key: value.shape for key, value in create("fasternet_t0", 7).state_dict().items()}

    assert sketched == created
    assert all(parameter.is_meta for parameter in sketch("fasternet_t0").parameters())
