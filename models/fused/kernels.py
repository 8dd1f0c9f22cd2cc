"""The kernels, for maps in channels-last order: rows are pixels of pictures, columns are channels.

Weights come packed (`models.fused.pack`): depth by outputs, filled up with zeros to whole blocks,
so that only rows need masks. Maps have a multiple of eight channels, those after the network's own
with weights of zero, so that 16 bytes are read at once. Strides count elements. All sums are
float32.
"""

import triton
import triton.language as tl
from triton.language import constexpr, tensor

NONE, RELU, RELU6, GELU = 0, 1, 2, 3


@triton.jit  # type: ignore[untyped-decorator]
def activated(x: tensor, activation: constexpr) -> tensor:
    """x after ReLU (1), ReLU6 (2), GELU (3) or as it is (0)."""
    if activation == 1:
        x = tl.maximum(x, 0.0)
    elif activation == 2:
        x = tl.minimum(tl.maximum(x, 0.0), 6.0)
    elif activation == 3:
        x = 0.5 * x * (1.0 + tl.erf(x * 0.7071067811865476))
    return x


@triton.jit  # type: ignore[untyped-decorator]
def summed(
    sums: tensor, source: tensor, weight: tensor, rows: tensor, live: tensor,
    inputs: constexpr, stride: constexpr, padded: constexpr,
    bn: constexpr, bk: constexpr,
) -> tensor:  # fmt: skip
    """sums (rows, bn) and the product of rows of `source` with columns of `weight`."""
    depth = tl.arange(0, bk)
    columns = tl.arange(0, bn)
    for start in range(0, inputs, bk):
        channels = start + depth
        inside = live[:, None] & (channels < inputs)[None, :]
        x = tl.load(source + rows[:, None] * stride + channels[None, :], mask=inside, other=0.0)
        w = tl.load(weight + channels[:, None] * padded + columns[None, :])
        sums = tl.dot(x, w, sums)
    return sums


@triton.jit  # type: ignore[untyped-decorator]
def finished(
    sums: tensor, bias: tensor, other: tensor, out: tensor,
    rows: tensor, live: tensor, first: tensor,
    outputs: constexpr, other_stride: constexpr, out_stride: constexpr,
    activation: constexpr, use: constexpr, bn: constexpr,
) -> None:  # fmt: skip
    """Stores columns `first` to `first` + bn after bias and activation. `use` of the map `other`:
    0 none; 1 it is added; 2 its columns and ours alternate, its first: a shuffle of two groups."""
    columns = first + tl.arange(0, bn)
    inside = live[:, None] & (columns < outputs)[None, :]
    sums = activated(sums + tl.load(bias + columns)[None, :], activation)
    if use == 0:
        place = out + rows[:, None] * out_stride + columns[None, :]
        tl.store(place, sums.to(out.dtype.element_ty), mask=inside)
    else:
        from_other = other + rows[:, None] * other_stride + columns[None, :]
        theirs = tl.load(from_other, mask=inside, other=0.0)
        if use == 1:
            place = out + rows[:, None] * out_stride + columns[None, :]
            tl.store(place, (sums + theirs.to(tl.float32)).to(out.dtype.element_ty), mask=inside)
        else:
            pairs = tl.interleave(theirs, sums.to(out.dtype.element_ty))
            wide = 2 * first + tl.arange(0, 2 * bn)
            place = out + rows[:, None] * out_stride + wide[None, :]
            tl.store(place, pairs, mask=live[:, None] & (wide < 2 * outputs)[None, :])


@triton.jit(do_not_specialize=["count"])  # type: ignore[untyped-decorator]
def pointwise(
    one: tensor, two: tensor, weight: tensor, bias: tensor,
    other: tensor, out: tensor, count: tensor,
    one_inputs: constexpr, one_stride: constexpr, one_first: constexpr,
    one_padded: constexpr, two_inputs: constexpr, two_stride: constexpr,
    outputs: constexpr, padded: constexpr, other_stride: constexpr, out_stride: constexpr,
    activation: constexpr, use: constexpr,
    bm: constexpr, bn: constexpr, bk: constexpr,
) -> None:  # fmt: skip
    """A 1x1 convolution of channels of map `one`, from `one_first` on, followed by those of map
    `two`, which need not be concatenated for it."""
    blocks: constexpr = padded // bn
    start = (tl.program_id(0) // blocks).to(tl.int64) * bm
    first = (tl.program_id(0) % blocks) * bn
    rows = tl.arange(0, bm)
    live = start + rows < count
    sums = tl.zeros((bm, bn), tl.float32)
    sums = summed(
        sums, one + start * one_stride + one_first, weight + first, rows, live,
        one_inputs, one_stride, padded, bn, bk,
    )  # fmt: skip
    if two_inputs > 0:
        below = weight + one_padded * padded + first
        sums = summed(
            sums, two + start * two_stride, below, rows, live,
            two_inputs, two_stride, padded, bn, bk,
        )  # fmt: skip
    finished(
        sums, bias, other + start * other_stride, out + start * out_stride, rows, live, first,
        outputs, other_stride, out_stride, activation, use, bn,
    )  # fmt: skip


@triton.jit(do_not_specialize=["count"])  # type: ignore[untyped-decorator]
def separable(
    x: tensor, taps: tensor, taps_bias: tensor, weight: tensor, bias: tensor,
    other: tensor, out: tensor, count: tensor,
    height: constexpr, width: constexpr, out_height: constexpr, out_width: constexpr,
    step: constexpr, inputs: constexpr, x_stride: constexpr, taps_padded: constexpr,
    outputs: constexpr, padded: constexpr,
    other_stride: constexpr, out_stride: constexpr,
    inner: constexpr, activation: constexpr, use: constexpr,
    bm: constexpr, bn: constexpr, bk: constexpr,
) -> None:  # fmt: skip
    """A depthwise 3x3 convolution, padded by one pixel, with activation `inner`, and a 1x1
    convolution of its answer, which never leaves the multiprocessor."""
    blocks: constexpr = padded // bn
    start = (tl.program_id(0) // blocks).to(tl.int64) * bm
    first = (tl.program_id(0) % blocks) * bn
    rows = tl.arange(0, bm)
    live = start + rows < count
    place = start.to(tl.int32) + rows
    picture = place // (out_height * out_width)
    top = (place // out_width) % out_height * step - 1
    left = place % out_width * step - 1
    source = x + picture.to(tl.int64) * (height * width * x_stride)
    depth = tl.arange(0, bk)
    columns = tl.arange(0, bn)
    sums = tl.zeros((bm, bn), tl.float32)
    for begin in range(0, inputs, bk):
        channels = begin + depth
        mixed = tl.zeros((bm, bk), tl.float32) + tl.load(taps_bias + channels)[None, :]
        for tap in tl.static_range(9):
            y = top + tap // 3
            z = left + tap % 3
            there = live & (y >= 0) & (y < height) & (z >= 0) & (z < width)
            pixel = source + (y * width + z) * x_stride
            inside = there[:, None] & (channels < inputs)[None, :]
            value = tl.load(pixel[:, None] + channels[None, :], mask=inside, other=0.0)
            by = tl.load(taps + tap * taps_padded + channels)
            mixed += value.to(tl.float32) * by.to(tl.float32)[None, :]
        mixed = activated(mixed, inner).to(out.dtype.element_ty)
        w = tl.load(weight + first + channels[:, None] * padded + columns[None, :])
        sums = tl.dot(mixed, w, sums)
    finished(
        sums, bias, other + start * other_stride, out + start * out_stride, rows, live, first,
        outputs, other_stride, out_stride, activation, use, bn,
    )  # fmt: skip


@triton.jit(do_not_specialize=["count"])  # type: ignore[untyped-decorator]
def window(
    x: tensor, weight: tensor, bias: tensor, mean: tensor, scale: tensor,
    out: tensor, count: tensor,
    height: constexpr, width: constexpr, out_height: constexpr, out_width: constexpr,
    side: constexpr, step: constexpr, padding: constexpr,
    inputs: constexpr, x_stride: constexpr, outputs: constexpr, padded: constexpr,
    out_stride: constexpr, normalised: constexpr, activation: constexpr,
    bm: constexpr, bn: constexpr, bk: constexpr,
) -> None:  # fmt: skip
    """A convolution of the first `inputs` channels of x over windows of side x side pixels.
    `normalised`: x are bytes of pictures, less the mean and times the scale of their channel."""
    blocks: constexpr = padded // bn
    total: constexpr = side * side * inputs
    start = (tl.program_id(0) // blocks).to(tl.int64) * bm
    first = (tl.program_id(0) % blocks) * bn
    rows = tl.arange(0, bm)
    live = start + rows < count
    place = start.to(tl.int32) + rows
    picture = place // (out_height * out_width)
    top = (place // out_width) % out_height * step - padding
    left = place % out_width * step - padding
    source = x + picture.to(tl.int64) * (height * width * x_stride)
    columns = tl.arange(0, bn)
    sums = tl.zeros((bm, bn), tl.float32)
    for begin in range(0, total, bk):
        depth = begin + tl.arange(0, bk)
        tap = depth // inputs
        channel = depth % inputs
        y = top[:, None] + (tap // side)[None, :]
        z = left[:, None] + (tap % side)[None, :]
        inside = live[:, None] & (depth < total)[None, :]
        if padding > 0:
            inside = inside & (y >= 0) & (y < height) & (z >= 0) & (z < width)
        pixel = source[:, None] + (y * width + z) * x_stride + channel[None, :]
        value = tl.load(pixel, mask=inside, other=0)
        if normalised:
            less, by = tl.load(mean + channel), tl.load(scale + channel)
            value = (value.to(tl.float32) - less[None, :]) * by[None, :]
            value = tl.where(inside, value, 0.0).to(out.dtype.element_ty)
        w = tl.load(weight + first + depth[:, None] * padded + columns[None, :])
        sums = tl.dot(value, w, sums)
    finished(
        sums, bias, out, out + start * out_stride, rows, live, first,
        outputs, out_stride, out_stride, activation, 0, bn,
    )  # fmt: skip


@triton.jit(do_not_specialize=["count"])  # type: ignore[untyped-decorator]
def pooled(
    x: tensor, out: tensor, count: tensor,
    height: constexpr, width: constexpr, out_height: constexpr, out_width: constexpr,
    channels: constexpr, bm: constexpr, bn: constexpr,
) -> None:  # fmt: skip
    """The largest of 3x3 pixels around every second one, the edge padded."""
    place = tl.program_id(0) * bm + tl.arange(0, bm)
    columns = tl.arange(0, bn)
    live = place < count
    picture = place // (out_height * out_width)
    top = (place // out_width) % out_height * 2 - 1
    left = place % out_width * 2 - 1
    source = x + picture.to(tl.int64) * (height * width * channels)
    largest = tl.full((bm, bn), float("-inf"), tl.float32)
    for tap in tl.static_range(9):
        y = top + tap // 3
        z = left + tap % 3
        there = live & (y >= 0) & (y < height) & (z >= 0) & (z < width)
        pixel = source + (y * width + z) * channels
        inside = there[:, None] & (columns < channels)[None, :]
        value = tl.load(pixel[:, None] + columns[None, :], mask=inside, other=float("-inf"))
        largest = tl.maximum(largest, value.to(tl.float32))
    to = out + place.to(tl.int64)[:, None] * channels + columns[None, :]
    inside = live[:, None] & (columns < channels)[None, :]
    tl.store(to, largest.to(out.dtype.element_ty), mask=inside)
