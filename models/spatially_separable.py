"""k x k convolutions run as two one-dimensional ones, and the kernels that can be split so."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from measuring.errors import InputError


class SpatiallySeparableConv(nn.Sequential):
    """k x 1, then 1 x k, over all channels. MACs h w k (c1 + c2) c2.

    Memory access h w (c1 + 3 c2) + k (c1 + c2) c2. `split_conv` fills it from a k x k kernel that
    allows it.
    """

    def __init__(self, c_in: int, c_out: int, *, kernel_size: int = 3, groups: int = 1) -> None:
        half = kernel_size // 2
        super().__init__(
            OrderedDict[str, nn.Module](
                vertical=nn.Conv2d(
                    c_in, c_out, (kernel_size, 1), padding=(half, 0), groups=groups, bias=False
                ),
                horizontal=nn.Conv2d(
                    c_out, c_out, (1, kernel_size), padding=(0, half), groups=groups, bias=False
                ),
            )
        )


class SpatiallySeparableDepthwiseConv(SpatiallySeparableConv):
    """k x 1, then 1 x k, per channel: 2 k instead of k² MACs per pixel where K = a b^T.

    MACs 2 h w k c; memory access 4 h w c + 2 k c. `split_depthwise` fills it from rank-1
    kernels.
    """

    def __init__(self, channels: int, *, kernel_size: int = 3) -> None:
        super().__init__(channels, channels, kernel_size=kernel_size, groups=channels)


def split_depthwise(kernel: Tensor) -> SpatiallySeparableDepthwiseConv:
    """The two passes equal to a depthwise kernel `(c, 1, k, k)` whose every k x k is a b^T.

    Raises InputError where a channel's kernel has a rank above 1.
    """
    channels, _, size, _ = kernel.shape
    vertical, horizontal = _factor(kernel[:, 0], rank=1)
    module = SpatiallySeparableDepthwiseConv(channels, kernel_size=size)
    module.to(kernel.dtype).load_state_dict(
        {
            "vertical.weight": vertical.reshape(channels, 1, size, 1),
            "horizontal.weight": horizontal.reshape(channels, 1, 1, size),
        }
    )
    return module


def split_conv(kernel: Tensor) -> SpatiallySeparableConv:
    """The two passes equal to a kernel `(c2, c1, k, k)`, with c2 maps between them.

    Possible where the kernel, laid out as a (c1 k) x (c2 k) matrix, has a rank of c2 at most;
    K[o, i] = w[o, i] a b^T always is. Raises InputError otherwise.
    """
    c_out, c_in, size, _ = kernel.shape
    matrix = kernel.permute(1, 2, 0, 3).reshape(c_in * size, c_out * size)
    vertical, horizontal = _factor(matrix, rank=c_out)
    module = SpatiallySeparableConv(c_in, c_out, kernel_size=size)
    rows = vertical.reshape(c_in, size, c_out).permute(2, 0, 1)
    columns = horizontal.reshape(c_out, c_out, size).permute(1, 0, 2)
    module.to(kernel.dtype).load_state_dict(
        {"vertical.weight": rows.unsqueeze(3), "horizontal.weight": columns.unsqueeze(2)}
    )
    return module


def _factor(matrices: Tensor, *, rank: int) -> tuple[Tensor, Tensor]:
    """(..., m, n) as (..., m, rank) times (..., rank, n), or InputError with what is left over."""
    left, values, right = torch.linalg.svd(matrices.detach(), full_matrices=False)
    kept = values[..., :rank].sqrt()
    left_over = float(
        (values[..., rank:].norm(dim=-1) / values.norm(dim=-1).clamp_min(1e-30)).max()
    )
    if left_over > 1e-5:
        raise InputError(
            f"kernel cannot be split: rank {rank} leaves {left_over:.1e} of its norm, expected at "
            "most 1e-05; keep the two-dimensional convolution"
        )
    return left[..., :rank] * kept.unsqueeze(-2), kept.unsqueeze(-1) * right[..., :rank, :]
