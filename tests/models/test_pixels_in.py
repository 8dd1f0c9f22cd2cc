import torch
from torch import nn

from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures
from models.pixels_in import PixelsIn

SPEC = InputSpec(size=8, resize=8, mean=(0.2, 0.4, 0.6), std=(0.1, 0.2, 0.3))


def test_pixels_in_scales_and_normalises_per_channel() -> None:
    pixels = torch.from_numpy(varied_pictures(3, 8, 0))
    mean, std = (torch.tensor(v, dtype=torch.float64) for v in (SPEC.mean, SPEC.std))
    expected = ((pixels.double() / 255 - mean) / std).permute(0, 3, 1, 2)
    images = PixelsIn(nn.Identity(), SPEC, dtype=torch.float64)(pixels)
    assert torch.allclose(images, expected, rtol=0, atol=1e-14)


def test_pixels_in_float32_loses_no_more_than_rounding() -> None:
    pixels = torch.from_numpy(varied_pictures(3, 8, 0))
    exact = PixelsIn(nn.Identity(), SPEC, dtype=torch.float64)(pixels)
    rounded = PixelsIn(nn.Identity(), SPEC)(pixels)
    assert rounded.dtype == torch.float32
    assert (rounded - exact).abs().max() <= 1e-6 * exact.abs().max()


def test_pixels_in_a_pixel_at_the_mean_is_exactly_zero() -> None:
    pixels = torch.tensor([51, 102, 153], dtype=torch.uint8).expand(1, 8, 8, 3)
    assert not PixelsIn(nn.Identity(), SPEC)(pixels).any()


def test_pixels_in_hands_the_network_channels_first_memory() -> None:
    images = PixelsIn(nn.Identity(), SPEC)(torch.zeros(2, 8, 8, 3, dtype=torch.uint8))
    assert images.shape == (2, 3, 8, 8)
    assert images.is_contiguous()
