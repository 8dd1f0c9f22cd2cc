"""Global average pooling as two means, over each row and then over the rows.

Runtimes add up a mean over a whole feature map in one long float32 sum, whose rounding grows with
the map; short sums of short sums keep it small. The first mean drops its axis: OpenVINO would join
two of the same form into one long sum again. At 456 pixels in efficientnet_b5 max |dlogit| there
falls from 5.5e-3 to 8.4e-5. Exact in real arithmetic: all rows are equally long.
"""

import copy

from torch import Tensor, nn


class RowMean(nn.Module):
    """(N, C, H, W) -> (N, C, 1, 1), as `nn.AdaptiveAvgPool2d(1)`."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(3).mean(2, keepdim=True).unsqueeze(3)


def pool_by_rows(network: nn.Module) -> nn.Module | None:
    """The network with every global average pooling replaced, or None where there is none; the
    caller's is not touched."""
    copied = copy.deepcopy(network)
    pools = [
        name
        for name, module in copied.named_modules()
        if isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1))
    ]
    for name in pools:
        copied.set_submodule(name, RowMean())
    return copied if pools else None
