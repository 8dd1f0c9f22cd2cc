"""MobileNetV2: inverted residuals with linear bottlenecks.

Arxiv 1801.04381, table 2. State-dict keys are torchvision's.
"""

from torch import Tensor, nn

from models.layers import conv_norm

STEM = 32
FEATURES = 1280

# Expansion, channels, blocks, stride of the first block.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class MobileNetV2(nn.Module):
    """(N, 3, H, W) to logits (N, num_classes), at width 1.0."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Sequential(*conv_norm(3, STEM, 3, stride=2), nn.ReLU6(inplace=True))
        ]
        channels = STEM
        for expansion, outputs, blocks, first_stride in STAGES:
            for index in range(blocks):
                stride = first_stride if index == 0 else 1
                layers.append(InvertedResidual(channels, outputs, expansion, stride))
                channels = outputs
        layers.append(nn.Sequential(*conv_norm(channels, FEATURES), nn.ReLU6(inplace=True)))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(FEATURES, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        features = self.pool(self.features(images)).flatten(1)
        logits: Tensor = self.classifier(features)
        return logits


class InvertedResidual(nn.Module):
    """Pointwise to `expansion` times the channels, depthwise 3x3, pointwise back without an
    activation; the input is added where the shape allows. Figure 4d of the paper."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = expansion * inputs
        layers: list[nn.Module] = []
        if expansion > 1:
            layers.append(nn.Sequential(*conv_norm(inputs, hidden), nn.ReLU6(inplace=True)))
        depthwise = conv_norm(hidden, hidden, 3, stride=stride, groups=hidden)
        layers.append(nn.Sequential(*depthwise, nn.ReLU6(inplace=True)))
        layers.extend(conv_norm(hidden, outputs))
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        projected: Tensor = self.conv(features)
        return features + projected if self.residual else projected
