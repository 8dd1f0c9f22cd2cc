"""Published weights: one checkpoint per network, with the preprocessing that belongs to it.

Only facts stand here; `models.download` fetches, `models.load` uses. Where a publisher offers
several checkpoints, the row is the publisher's own default.
"""

from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from measuring.input_spec import InputSpec
from models.labels import imagenet_labels


@dataclass(frozen=True)
class Weights:
    """A published checkpoint.

    `name`: the publisher's name for it; `sha256`: of the file, None where none is published, and
    `sha256_prefix` its first digits where only those are, `""` if not even those;
    `top1`: the publisher's ImageNet-1k validation accuracy in [0, 1], at `input_spec`;
    `licence`: as its publisher states it; `source`: who publishes it.
    """

    network: str
    name: str
    url: str
    sha256: str | None
    sha256_prefix: str
    input_spec: InputSpec
    top1: float
    licence: str
    source: str

    @property
    def labels(self) -> tuple[str, ...]:
        """Every published checkpoint here answers with the 1000 ImageNet classes."""
        return imagenet_labels()

    @property
    def suffix(self) -> str:
        """`.pth` or `.safetensors`, from the address."""
        return PurePosixPath(self.url).suffix


_TORCHVISION = InputSpec(size=224, resize=256, interpolation="bilinear")
_RESIZE_232 = replace(_TORCHVISION, resize=232)
_FASTERNET = InputSpec(size=224, resize=248, interpolation="bicubic")  # crop ratio 0.9
_TIMM = InputSpec(size=224, resize=256, interpolation="bicubic")  # crop ratio 0.875
_HALF = (0.5, 0.5, 0.5)


def _fasternet(variant: str, checkpoint: str, top1: float, sha256: str | None = None) -> Weights:
    """Release v1.0 of the authors. It names no licence for the files: this is their code's."""
    return Weights(
        network=f"fasternet_{variant}",
        name="v1.0",
        url="https://github.com/JierunChen/FasterNet/releases/download/v1.0/"
        f"fasternet_{variant}-{checkpoint}.pth",
        sha256=sha256,
        sha256_prefix=sha256 or "",
        input_spec=_FASTERNET,
        top1=top1,
        licence="MIT (header of the authors' code; no licence is stated for the checkpoint)",
        source="github.com/JierunChen/FasterNet",
    )


def _timm(network: str, name: str, top1: float, spec: InputSpec = _TIMM) -> Weights:
    """timm 1.0.31 on the Hugging Face hub, which publishes no checksum beside the file."""
    return Weights(
        network=network,
        name=name,
        url=f"https://huggingface.co/timm/{name}/resolve/main/model.safetensors",
        sha256=None,
        sha256_prefix="",
        input_spec=spec,
        top1=top1,
        licence="Apache-2.0",
        source="timm",
    )


def _torchvision(
    file: str,
    top1: float,
    spec: InputSpec = _TORCHVISION,
    *,
    network: str | None = None,
    recipe: str = "IMAGENET1K_V1",
) -> Weights:
    """torchvision 0.29.2. A file's name ends in the first digits of its SHA-256."""
    stem, _, prefix = file.rpartition("-")
    return Weights(
        network=network or stem,
        name=recipe,
        url=f"https://download.pytorch.org/models/{file}.pth",
        sha256=None,
        sha256_prefix=prefix,
        input_spec=spec,
        top1=top1,
        licence="BSD-3-Clause",
        source="torchvision",
    )


def _newer(file: str, top1: float) -> Weights:
    """torchvision's second recipe, which resizes to 232."""
    return _torchvision(file, top1, _RESIZE_232, recipe="IMAGENET1K_V2")


def _ported(row: Weights, origin: str) -> Weights:
    """torchvision's copy of weights that others trained, under the licence of those."""
    return replace(row, licence="Apache-2.0", source=f"torchvision, ported from {origin}")


_ROWS = (
    _fasternet("t0", "epoch.281-val_acc1.71.9180", 0.71918),
    _fasternet(
        "t1",
        "epoch.291-val_acc1.76.2180",
        0.76218,
        "5d85fb083ece3b63337d90959034a78dbbd7b0c434d73d05fab09bf880c4646c",
    ),
    _fasternet(
        "t2",
        "epoch.289-val_acc1.78.8860",
        0.78886,
        "8424cb882a4797bb73e6b7465223815894dc96876dd2efe15e89b0b7ae785b73",
    ),
    _fasternet("s", "epoch.299-val_acc1.81.2840", 0.81284),
    _fasternet("m", "epoch.291-val_acc1.82.9620", 0.82962),
    _fasternet("l", "epoch.299-val_acc1.83.5060", 0.83506),
    _timm(
        "mobilenet_v1",
        "mobilenetv1_100.ra4_e3600_r224_in1k",
        0.75388,
        replace(_TIMM, mean=_HALF, std=_HALF),
    ),
    _newer("mobilenet_v2-7ebf99e0", 0.72154),
    _torchvision("mobilenet_v3_small-047dcff4", 0.67668),
    _newer("mobilenet_v3_large-5c1a4163", 0.75274),
    _timm("mobilenet_v4_conv_small", "mobilenetv4_conv_small.e2400_r224_in1k", 0.73756),
    _timm(
        "mobilenet_v4_conv_medium",
        "mobilenetv4_conv_medium.e500_r224_in1k",
        0.79092,
        replace(_TIMM, resize=235),  # crop ratio 0.95
    ),
    _torchvision("shufflenetv2_x0.5-f707e7126e", 0.60552, network="shufflenet_v2_x0_5"),
    _torchvision("shufflenetv2_x1-5666bf0f80", 0.69362, network="shufflenet_v2_x1_0"),
    _torchvision("shufflenetv2_x1_5-3c479a10", 0.72996, _RESIZE_232, network="shufflenet_v2_x1_5"),
    _torchvision("shufflenetv2_x2_0-8be3c8ee", 0.76230, _RESIZE_232, network="shufflenet_v2_x2_0"),
    _torchvision("resnet18-f37072fd", 0.69758),
    _newer("resnet50-11ad3fa6", 0.80858),
    _ported(
        _torchvision(
            "efficientnet_b0_rwightman-7f5810bc",
            0.77692,
            InputSpec(size=224, resize=256, interpolation="bicubic"),
            network="efficientnet_b0",
        ),
        origin="timm",
    ),
    _ported(
        _torchvision(
            "efficientnet_b5_lukemelas-1a07897c",
            0.83444,
            InputSpec(size=456, resize=456, interpolation="bicubic"),
            network="efficientnet_b5",
        ),
        origin="lukemelas/EfficientNet-PyTorch",
    ),
    _newer("regnet_x_400mf-62229a5f", 0.74864),
    _newer("regnet_x_8gf-2b70d774", 0.81682),
    _newer("regnet_y_400mf-e6988f5f", 0.75804),
    _newer("regnet_y_800mf-58fc7688", 0.78828),
)

WEIGHTS: dict[str, Weights] = {row.network: row for row in _ROWS}
