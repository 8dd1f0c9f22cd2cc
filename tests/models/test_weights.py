import re
from urllib.parse import urlsplit

import pytest

from measuring.input_spec import IMAGENET_MEAN
from models.catalog import names
from models.weights import WEIGHTS, Weights


def test_weights_exist_for_every_network_and_no_other() -> None:
    assert set(WEIGHTS) == set(names())
    assert all(network == row.network for network, row in WEIGHTS.items())


@pytest.mark.parametrize("row", WEIGHTS.values(), ids=WEIGHTS)
def test_weights_row_holds_plausible_facts(row: Weights) -> None:
    address = urlsplit(row.url)

    assert address.scheme == "https"
    assert row.suffix in (".pth", ".safetensors")
    assert 0.6 < row.top1 < 0.9
    assert row.licence
    assert row.source
    assert len(row.labels) == 1000


@pytest.mark.parametrize("row", WEIGHTS.values(), ids=WEIGHTS)
def test_weights_checksum_is_hexadecimal_and_agrees_with_the_file_name(row: Weights) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", row.sha256 or "0" * 64)
    assert (row.sha256 or row.sha256_prefix).startswith(row.sha256_prefix)
    if row.source.startswith("torchvision"):
        assert row.url.endswith(f"-{row.sha256_prefix}.pth")
        assert re.fullmatch(r"[0-9a-f]{8,10}", row.sha256_prefix)


def test_weights_addresses_are_all_different() -> None:
    assert len({row.url for row in WEIGHTS.values()}) == len(WEIGHTS)


@pytest.mark.parametrize(
    ("network", "size", "resize", "interpolation"),
    [
        ("resnet18", 224, 256, "bilinear"),
        ("resnet50", 224, 232, "bilinear"),
        ("shufflenet_v2_x1_5", 224, 232, "bilinear"),
        ("efficientnet_b0", 224, 256, "bicubic"),
        ("efficientnet_b5", 456, 456, "bicubic"),
        ("fasternet_t0", 224, 248, "bicubic"),
        ("mobilenet_v4_conv_medium", 224, 235, "bicubic"),
    ],
)
def test_weights_carry_the_preprocessing_they_were_evaluated_with(
    network: str, size: int, resize: int, interpolation: str
) -> None:
    spec = WEIGHTS[network].input_spec

    assert (spec.size, spec.resize, spec.interpolation) == (size, resize, interpolation)
    assert spec.mean == IMAGENET_MEAN


def test_weights_of_mobilenet_v1_scale_pixels_to_plus_minus_one() -> None:
    spec = WEIGHTS["mobilenet_v1"].input_spec

    assert (spec.mean, spec.std) == ((0.5,) * 3, (0.5,) * 3)
