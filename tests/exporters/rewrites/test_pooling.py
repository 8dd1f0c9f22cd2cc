import torch
from torch import nn

from exporters.rewrites.pooling import RowMean, pool_by_rows
from models import create


def test_row_mean_is_the_average_of_the_map() -> None:
    maps = torch.rand(2, 5, 7, 9, dtype=torch.float64)

    torch.testing.assert_close(RowMean()(maps), maps.mean((2, 3), keepdim=True), rtol=1e-14, atol=0)


def test_pool_by_rows_replaces_every_global_pool_and_no_other() -> None:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d((1, 1)),
                            nn.AdaptiveAvgPool2d(2), nn.AvgPool2d(2))  # fmt: skip

    replaced = pool_by_rows(network)

    assert replaced is not None
    assert [type(module) for module in replaced.children()] == [
        RowMean, RowMean, nn.AdaptiveAvgPool2d, nn.AvgPool2d,
    ]  # fmt: skip
    assert isinstance(network[0], nn.AdaptiveAvgPool2d)


def test_pool_by_rows_keeps_the_answers() -> None:
    network = create("mobilenet_v3_small", 7).double().eval()
    image = torch.rand(2, 3, 64, 96, dtype=torch.float64)

    replaced = pool_by_rows(network)

    assert replaced is not None
    with torch.inference_mode():
        torch.testing.assert_close(replaced(image), network(image), rtol=1e-10, atol=0)


def test_pool_by_rows_leaves_a_network_without_global_pooling_alone() -> None:
    assert pool_by_rows(nn.AvgPool2d(2)) is None
