"""MobileNetV1: depthwise separable convolutions, one after the other, without shortcuts.

Arxiv 1704.04861, table 1. State-dict keys are those of timm's mobilenetv1_100, ReLU6 as there.
"""

from collections import OrderedDict

from torch import Tensor, nn

from models.layers import conv_norm

STEM = 32

# Channels and stride of each block, by stage.
STAGES = (
    ((64, 1),),
    ((128, 2), (128, 1)),
    ((256, 2), (256, 1)),
    ((512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1)),
    ((1024, 2), (1024, 1)),
)


class MobileNetV1(nn.Module):
    """(N, 3, H, W) to logits (N, num_classes), at width 1.0."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.conv_stem, self.bn1 = conv_norm(3, STEM, 3, stride=2)
        self.act = nn.ReLU6(inplace=True)
        channels = STEM
        stages: list[nn.Module] = []
        for rows in STAGES:
            blocks: list[nn.Module] = []
            for outputs, stride in rows:
                blocks.append(_separable(channels, outputs, stride))
                channels = outputs
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        stem = self.act(self.bn1(self.conv_stem(images)))
        logits: Tensor = self.classifier(self.pool(self.blocks(stem)).flatten(1))
        return logits


def _separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Depthwise 3x3, then pointwise, each with BatchNorm and ReLU6; figure 3 of the paper."""
    conv_dw, bn1 = conv_norm(inputs, inputs, 3, stride=stride, groups=inputs)
    conv_pw, bn2 = conv_norm(inputs, outputs)
    return nn.Sequential(
        OrderedDict[str, nn.Module](
            conv_dw=conv_dw,
            bn1=bn1,
            act1=nn.ReLU6(inplace=True),
            conv_pw=conv_pw,
            bn2=bn2,
            act2=nn.ReLU6(inplace=True),
        )
    )
