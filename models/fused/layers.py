"""Layers that launch the kernels: maps (N, H, W, C) in, maps out, C a multiple of eight."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from measuring.input_spec import InputSpec
from models.fused.kernels import pointwise, pooled, separable, window
from models.fused.pack import WIDE, Folded, columns_of, depth_of, filled, up_to

# What a layer does with a second map: nothing, add it, or alternate its channels with its own.
ALONE, ADDED, SHUFFLED = 0, 1, 2


@dataclass(frozen=True)
class Blocks:
    """What one program of a kernel computes: at most `rows` pixels by `columns` outputs, `depth`
    inputs at once; `stages`: blocks that are read ahead."""

    rows: int
    columns: int
    depth: int
    stages: int

    def launch(self, count: int, padded: int) -> tuple[tuple[int], dict[str, int]]:
        """The grid for so many pixels and columns, and what the kernel is compiled for. Few pixels
        are spread over all multiprocessors."""
        rows = next((size for size, least in _ROWS if count >= least and size <= self.rows), 16)
        grid = (-(-count // rows) * (padded // self.columns),)
        warps = 8 if rows * self.columns > 1 << 13 else 4
        sizes = {"bm": rows, "bn": self.columns, "bk": self.depth}
        return grid, sizes | {"num_warps": warps, "num_stages": self.stages}


_ROWS = ((128, 1 << 15), (64, 1 << 13), (32, 1 << 11))


class Layer(nn.Module):
    """Weights packed from `matrices` (inputs, outputs), one for each map that the layer reads."""

    weight: Tensor
    bias: Tensor

    def __init__(
        self, made: Folded, matrices: tuple[Tensor, ...], blocks: Blocks, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.activation, self.blocks = made.activation, blocks
        outputs = len(made.weight)
        self.width = up_to(outputs, WIDE)
        self.padded = up_to(outputs, blocks.columns)
        packed = [
            filled(matrix, up_to(len(matrix), blocks.depth), self.padded, dtype)
            for matrix in matrices
        ]
        self.register_buffer("weight", torch.cat(packed).contiguous())
        bias = filled(made.bias[None, :], 1, self.padded, torch.float32)[0]
        self.register_buffer("bias", bias.contiguous())

    def room(self, like: Tensor, shape: tuple[int, int, int], use: int = ALONE) -> Tensor:
        """Where the layer's map (N, H, W, C) goes."""
        channels = self.width * (2 if use == SHUFFLED else 1)
        return torch.empty(*shape, channels, dtype=self.weight.dtype, device=like.device)


class Pointwise(Layer):
    """A 1x1 convolution. With `before` channels it reads those of a first map in place of as many
    of the second, which is what a concatenation would be for."""

    def __init__(self, made: Folded, dtype: torch.dtype, *, before: int = 0) -> None:
        matrix = made.weight.flatten(1).T  # (inputs, outputs)
        matrices: tuple[Tensor, ...] = (matrix,)
        if before:
            rest = matrix.clone()
            rest[:before] = 0.0
            matrices = (matrix[:before], rest)
        reads = [up_to(len(one), WIDE) for one in matrices]
        outputs = len(made.weight)
        blocks = Blocks(128, columns_of(outputs), depth_of(max(reads)), 3)
        super().__init__(made, matrices, blocks, dtype)
        self.reads = reads

    def forward(
        self,
        one: Tensor,
        two: Tensor | None = None,
        *,
        first: int = 0,
        other: Tensor | None = None,
        use: int = ALONE,
    ) -> Tensor:
        """`first`: of the channels of `one` that are read; `other`: the second map of `use`."""
        pictures, height, width, _ = one.shape
        out = self.room(one, (pictures, height, width), use)
        count = pictures * height * width
        grid, sizes = self.blocks.launch(count, self.padded)
        second = one if two is None else two
        beside = out if other is None else other
        pointwise[grid](
            one, second, self.weight, self.bias, beside, out, count,
            one_inputs=self.reads[0], one_stride=one.stride(2), one_first=first,
            one_padded=up_to(self.reads[0], self.blocks.depth),
            two_inputs=0 if two is None else self.reads[1], two_stride=second.stride(2),
            outputs=self.width, padded=self.padded,
            other_stride=beside.stride(2), out_stride=out.stride(2),
            activation=self.activation, use=use, **sizes,
        )  # fmt: skip
        return out


class Separable(Layer):
    """A depthwise 3x3 convolution and a 1x1 convolution of it."""

    taps: Tensor
    taps_bias: Tensor

    def __init__(self, filters: Folded, made: Folded, step: int, dtype: torch.dtype) -> None:
        matrix = made.weight.flatten(1).T
        # The filter is computed again for each block of columns: few wide ones.
        columns = columns_of(len(made.weight), 256)
        blocks = Blocks(64 if columns <= 128 else 32, columns, 32, 2)
        super().__init__(made, (matrix,), blocks, dtype)
        self.step, self.inner = step, filters.activation
        self.reads = up_to(len(matrix), WIDE)
        channels = up_to(len(matrix), blocks.depth)
        taps = filled(filters.weight.reshape(-1, 9).T, 9, channels, dtype)  # (9, channels)
        self.register_buffer("taps", taps.contiguous())
        bias = filled(filters.bias[None, :], 1, channels, torch.float32)[0]
        self.register_buffer("taps_bias", bias.contiguous())

    def forward(self, x: Tensor, *, other: Tensor | None = None, use: int = ALONE) -> Tensor:
        """`other` as in `Pointwise`."""
        pictures, height, width, _ = x.shape
        shape = (pictures, (height - 1) // self.step + 1, (width - 1) // self.step + 1)
        out = self.room(x, shape, use)
        beside = out if other is None else other
        count = shape[0] * shape[1] * shape[2]
        grid, sizes = self.blocks.launch(count, self.padded)
        separable[grid](
            x, self.taps, self.taps_bias, self.weight, self.bias, beside, out, count,
            height=height, width=width, out_height=shape[1], out_width=shape[2],
            step=self.step, inputs=self.reads, x_stride=x.stride(2),
            taps_padded=self.taps.shape[1], outputs=self.width, padded=self.padded,
            other_stride=beside.stride(2), out_stride=out.stride(2),
            inner=self.inner, activation=self.activation, use=use, **sizes,
        )  # fmt: skip
        return out


class Window(Layer):
    """A dense convolution of the first channels of a map; with a `spec`, of the bytes of pictures,
    normalised as it says."""

    mean: Tensor
    scale: Tensor

    def __init__(
        self, made: Folded, conv: nn.Conv2d, dtype: torch.dtype, *, spec: InputSpec | None = None
    ) -> None:
        outputs, inputs, side, _ = made.weight.shape
        read = up_to(inputs, WIDE) if spec is None else inputs
        taps = made.weight.permute(2, 3, 1, 0)  # (height, width, inputs, outputs)
        wider = taps.new_zeros(side, side, read, outputs)
        wider[:, :, :inputs] = taps
        matrix = wider.flatten(0, 2)
        blocks = Blocks(128, columns_of(outputs), depth_of(len(matrix)), 3)
        super().__init__(made, (matrix,), blocks, dtype)
        self.inputs, self.side = read, side
        self.step, self.padding = conv.stride[0], int(conv.padding[0])
        self.normalised = spec is not None
        mean = [0.0] * 3 if spec is None else [255.0 * value for value in spec.mean]
        scale = [1.0] * 3 if spec is None else [1.0 / (255.0 * value) for value in spec.std]
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        pictures, height, width, _ = x.shape
        reach = 2 * self.padding - self.side
        shape = (pictures, (height + reach) // self.step + 1, (width + reach) // self.step + 1)
        out = self.room(x, shape)
        count = shape[0] * shape[1] * shape[2]
        grid, sizes = self.blocks.launch(count, self.padded)
        window[grid](
            x, self.weight, self.bias, self.mean, self.scale, out, count,
            height=height, width=width, out_height=shape[1], out_width=shape[2],
            side=self.side, step=self.step, padding=self.padding,
            inputs=self.inputs, x_stride=x.stride(2), outputs=self.width, padded=self.padded,
            out_stride=out.stride(2), normalised=self.normalised, activation=self.activation,
            **sizes,
        )  # fmt: skip
        return out


class Pool(nn.Module):
    """The largest of 3x3 pixels around every second one."""

    def forward(self, x: Tensor) -> Tensor:
        pictures, height, width, channels = x.shape
        shape = (pictures, (height - 1) // 2 + 1, (width - 1) // 2 + 1, channels)
        out = x.new_empty(shape)
        count = shape[0] * shape[1] * shape[2]
        rows = 64
        pooled[(-(-count // rows),)](
            x, out, count, height=height, width=width, out_height=shape[1], out_width=shape[2],
            channels=channels, bm=rows, bn=max(16, 1 << (channels - 1).bit_length()), num_warps=4,
        )  # fmt: skip
        return out
