"""Synthetic pictures, varied enough to tell networks apart; the same bytes on every machine.

Only additions, products, quotients and square roots are used: IEEE 754 rounds those exactly,
while sines, powers, Fourier transforms and sums of arrays differ with the instruction set.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from measuring.errors import InputError

Texture = NDArray[np.float64]  # (size, size), values in [0, 1]


def varied_pictures(count: int, size: int, seed: int) -> NDArray[np.uint8]:
    """Pictures (count, size, size, 3) RGB: gratings, checkers, blobs, polygons, gradients, noise.

    Picture i depends on `seed`, `size` and i alone, so that fewer pictures are the first of more,
    and every kind of texture occurs within each run of 16. Raises InputError for a count or size
    below 1 or a negative seed.
    """
    for name, value, least in (("count", count, 1), ("size", size, 1), ("seed", seed, 0)):
        if value < least:
            raise InputError(f"pictures: {name} is {value}, expected {least} or more")
    pictures = np.empty((count, size, size, 3), np.uint8)
    for index in range(count):
        rng = np.random.Generator(np.random.PCG64([seed, index]))
        pictures[index] = _expose(rng, _KINDS[index % len(_KINDS)](rng, size))
    return pictures


def _gratings(rng: np.random.Generator, size: int) -> Texture:
    """One to three waves crossing at random angles, soft or hard."""
    texture = np.zeros((size, size))
    waves = int(rng.integers(1, 4))
    for _ in range(waves):
        frequency = 0.5 + 40.0 * float(rng.random()) ** 3
        wave = _wave(frequency * _across(rng, size) + float(rng.random()))
        texture += (wave > 0.5) if rng.random() < 0.3 else _soften(wave)
    return texture / waves


def _rings(rng: np.random.Generator, size: int) -> Texture:
    """Waves around a point, stretched along one axis."""
    x, y = _coordinates(size)
    centre_x, centre_y, stretch = rng.random(), rng.random(), 0.4 + 2.0 * rng.random()
    radius = np.sqrt((x - centre_x) * (x - centre_x) + stretch * (y - centre_y) * (y - centre_y))
    return _soften(_wave((1.0 + 20.0 * rng.random()) * radius))


def _checkers(rng: np.random.Generator, size: int) -> Texture:
    """A slanted chequerboard with cells of unequal sides."""
    along, beside = _across(rng, size), _across(rng, size)
    column = np.floor((2.0 + 14.0 * rng.random()) * along)
    row = np.floor((2.0 + 14.0 * rng.random()) * beside)
    texture: Texture = np.mod(column + row, 2.0)
    return texture


def _blobs(rng: np.random.Generator, size: int) -> Texture:
    """Round bright spots of many sizes on a dark ground; where they meet, the brighter wins."""
    x, y = _coordinates(size)
    texture = np.zeros((size, size))
    for _ in range(int(rng.integers(3, 14))):
        centre_x, centre_y, height = rng.random(), rng.random(), 0.4 + 0.6 * rng.random()
        radius = 0.04 + 0.4 * rng.random() * rng.random()
        square = ((x - centre_x) * (x - centre_x) + (y - centre_y) * (y - centre_y)) / radius**2
        texture = np.maximum(texture, height * _soften(np.clip(1.0 - square, 0.0, 1.0)))
    return texture


def _polygons(rng: np.random.Generator, size: int) -> Texture:
    """Flat convex shapes, each an intersection of half-planes, painted over one another."""
    x, y = _coordinates(size)
    texture = np.full((size, size), rng.random())
    for _ in range(int(rng.integers(2, 9))):
        centre_x, centre_y = rng.random(), rng.random()
        inside = np.ones((size, size), np.bool_)
        for _ in range(int(rng.integers(2, 6))):
            a, b = _direction(rng)
            inside &= a * (x - centre_x) + b * (y - centre_y) < 0.05 + 0.3 * rng.random()
        texture[inside] = rng.random()
    return texture


def _gradient(rng: np.random.Generator, size: int) -> Texture:
    """A slow drift between four random corners and a random saddle."""
    return _upsample(rng.random((3, 3)), size)


def _fractal(rng: np.random.Generator, size: int) -> Texture:
    """Octaves of smooth noise whose amplitude falls as 1/frequency, as in natural scenes."""
    texture, weight, cells = np.zeros((size, size)), 0.0, 2
    while cells <= max(size, 2):
        texture += _upsample(rng.random((cells + 1, cells + 1)), size) / cells
        weight, cells = weight + 1.0 / cells, 2 * cells
    return np.clip(0.5 + 1.8 * (texture / weight - 0.5), 0.0, 1.0)


def _noise(rng: np.random.Generator, size: int) -> Texture:
    """Independent pixels."""
    return rng.random((size, size))


_TEXTURES = (_gratings, _rings, _checkers, _blobs, _polygons, _gradient, _fractal, _noise)


def _painted(texture: Callable[[np.random.Generator, int], Texture]) -> "Kind":
    def paint(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        return _colour(rng, texture(rng, size))

    return paint


def _mixture(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Two painted textures, the one shown through a third as mask, hard-edged or blended."""
    one, other, shape = (_TEXTURES[i] for i in rng.choice(len(_TEXTURES), 3, replace=False))
    mask = shape(rng, size)[:, :, None]
    if rng.random() < 0.5:
        mask = (mask > 0.5).astype(np.float64)
    first, second = _colour(rng, one(rng, size)), _colour(rng, other(rng, size))
    return first + mask * (second - first)


Kind = Callable[[np.random.Generator, int], NDArray[np.float64]]
_KINDS: tuple[Kind, ...] = tuple(
    kind for texture in _TEXTURES for kind in (_painted(texture), _mixture)
)


def _colour(rng: np.random.Generator, texture: Texture) -> NDArray[np.float64]:
    """(size, size) -> (size, size, 3): from one random colour to another, now and then greys."""
    low, high = rng.random(3), rng.random(3)
    if rng.random() < 0.2:
        low, high = np.zeros(3), np.ones(3)
    return low + texture[:, :, None] * (high - low)


def _expose(rng: np.random.Generator, colours: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Random contrast, brightness and colour cast, then 8 bits."""
    contrast, brightness = 0.35 + 1.15 * rng.random(), 0.3 + 0.4 * rng.random()
    cast = 0.75 + 0.4 * rng.random(3)
    exposed = ((colours - 0.5) * contrast + brightness) * cast
    return (np.clip(exposed, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _coordinates(size: int) -> tuple[Texture, Texture]:
    """Pixel centres in [0, 1]: a row of x and a column of y that broadcast to (size, size)."""
    centres = (np.arange(size) + 0.5) / size
    return centres[None, :], centres[:, None]


def _direction(rng: np.random.Generator) -> tuple[float, float]:
    a, b = 2.0 * rng.random() - 1.0, 2.0 * rng.random() - 1.0
    length = float(np.sqrt(a * a + b * b))
    return (a / length, b / length) if length > 1e-6 else (1.0, 0.0)


def _across(rng: np.random.Generator, size: int) -> Texture:
    """The distance of each pixel along a random direction."""
    x, y = _coordinates(size)
    a, b = _direction(rng)
    return a * x + b * y


def _wave(phase: Texture) -> Texture:
    """A triangle wave of period 1."""
    wave: Texture = np.abs(2.0 * (phase - np.floor(phase)) - 1.0)
    return wave


def _soften(ramp: Texture) -> Texture:
    """Flat at 0 and 1: turns a triangle wave nearly into a sine."""
    return ramp * ramp * (3.0 - 2.0 * ramp)


def _upsample(grid: Texture, size: int) -> Texture:
    """Values at the corners of equal cells, smoothly interpolated to (size, size)."""
    position = (np.arange(size) + 0.5) / size * (len(grid) - 1)
    cell = np.minimum(position.astype(np.intp), len(grid) - 2)
    part = _soften(position - cell)
    rows = grid[cell] + part[:, None] * (grid[cell + 1] - grid[cell])
    texture: Texture = rows[:, cell] + part * (rows[:, cell + 1] - rows[:, cell])
    return texture
