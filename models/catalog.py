"""Every network by name: one row each."""

from collections.abc import Callable
from difflib import get_close_matches
from functools import partial

import torch
from torch import nn

from measuring.errors import InputError
from models import (
    efficientnet,
    fasternet,
    mobilenet_v3,
    mobilenet_v4,
    regnet,
    resnet,
    shufflenet_v2,
)
from models.fasternet import FasterNet
from models.mobilenet_v1 import MobileNetV1
from models.mobilenet_v2 import MobileNetV2
from models.mobilenet_v3 import MobileNetV3
from models.mobilenet_v4 import MobileNetV4
from models.shufflenet_v2 import ShuffleNetV2

Builder = Callable[[int], nn.Module]

_BUILDERS: dict[str, Builder] = {
    "fasternet_t0": partial(FasterNet, fasternet.T0),
    "fasternet_t1": partial(FasterNet, fasternet.T1),
    "fasternet_t2": partial(FasterNet, fasternet.T2),
    "fasternet_s": partial(FasterNet, fasternet.S),
    "fasternet_m": partial(FasterNet, fasternet.M),
    "fasternet_l": partial(FasterNet, fasternet.L),
    "mobilenet_v1": MobileNetV1,
    "mobilenet_v2": MobileNetV2,
    "mobilenet_v3_small": partial(MobileNetV3, mobilenet_v3.SMALL),
    "mobilenet_v3_large": partial(MobileNetV3, mobilenet_v3.LARGE),
    "mobilenet_v4_conv_small": partial(MobileNetV4, mobilenet_v4.SMALL),
    "mobilenet_v4_conv_medium": partial(MobileNetV4, mobilenet_v4.MEDIUM),
    "shufflenet_v2_x0_5": partial(ShuffleNetV2, shufflenet_v2.X0_5),
    "shufflenet_v2_x1_0": partial(ShuffleNetV2, shufflenet_v2.X1_0),
    "shufflenet_v2_x1_5": partial(ShuffleNetV2, shufflenet_v2.X1_5),
    "shufflenet_v2_x2_0": partial(ShuffleNetV2, shufflenet_v2.X2_0),
    "resnet18": resnet.resnet18,
    "resnet50": resnet.resnet50,
    "efficientnet_b0": efficientnet.efficientnet_b0,
    "efficientnet_b5": efficientnet.efficientnet_b5,
    "regnet_x_400mf": regnet.regnet_x_400mf,
    "regnet_x_8gf": regnet.regnet_x_8gf,
    "regnet_y_400mf": regnet.regnet_y_400mf,
    "regnet_y_800mf": regnet.regnet_y_800mf,
}


def create(name: str, num_classes: int = 1000) -> nn.Module:
    """The network with random weights, (N, 3, H, W) to logits (N, num_classes).

    Raises InputError for a name that is not in `names()` and for fewer than one class.
    """
    if num_classes < 1:
        raise InputError(f"num_classes is {num_classes}, expected 1 or more")
    if name not in _BUILDERS:
        near = get_close_matches(name, _BUILDERS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"unknown network {name!r}: {hint}expected one of {', '.join(names())}")
    return _BUILDERS[name](num_classes)


def sketch(name: str, num_classes: int = 1000) -> nn.Module:
    """`create` without values: shapes on the meta device, enough for `cost` and made in no time."""
    with torch.device("meta"):
        return create(name, num_classes)


def names() -> tuple[str, ...]:
    """Every network that `create` builds, by family."""
    return tuple(_BUILDERS)
