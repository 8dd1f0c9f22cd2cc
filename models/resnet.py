"""ResNet: the reference every later network is compared with.

Arxiv 1512.03385, table 1; the bottleneck halves (H, W) in its 3x3 convolution, as torchvision's
checkpoints do (ResNet "v1.5"). State-dict keys are torchvision's.
"""

from torch import Tensor, nn

from models.layers import conv_norm

STEM = 64
# Channels inside the blocks of each stage, and the stride of its first block.
STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; figure 5, left."""

    expansion = 1

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_norm(inputs, channels, 3, stride=stride)
        self.relu = nn.ReLU(inplace=True)
        self.conv2, self.bn2 = conv_norm(channels, channels, 3)
        self.downsample = shortcut(inputs, channels, stride)

    def forward(self, features: Tensor) -> Tensor:
        mixed = self.relu(self.bn1(self.conv1(features)))
        mixed = self.bn2(self.conv2(mixed))
        activated: Tensor = self.relu(mixed + self.downsample(features))
        return activated


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 to four times the channels, around a shortcut; figure 5, right."""

    expansion = 4

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        outputs = self.expansion * channels
        self.conv1, self.bn1 = conv_norm(inputs, channels)
        self.conv2, self.bn2 = conv_norm(channels, channels, 3, stride=stride)
        self.conv3, self.bn3 = conv_norm(channels, outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(inputs, outputs, stride)

    def forward(self, features: Tensor) -> Tensor:
        mixed = self.relu(self.bn1(self.conv1(features)))
        mixed = self.relu(self.bn2(self.conv2(mixed)))
        mixed = self.bn3(self.conv3(mixed))
        activated: Tensor = self.relu(mixed + self.downsample(features))
        return activated


class ResNet(nn.Module):
    """(N, 3, H, W) to logits (N, num_classes); `depths`: blocks of each of the four stages."""

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: tuple[int, int, int, int],
        num_classes: int = 1000,
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_norm(3, STEM, 7, stride=2)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        width = STEM
        stages: list[nn.Module] = []
        for (channels, first_stride), depth in zip(STAGES, depths, strict=True):
            blocks: list[nn.Module] = []
            for index in range(depth):
                blocks.append(block(width, channels, first_stride if index == 0 else 1))
                width = block.expansion * channels
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        logits: Tensor = self.fc(self.avgpool(features).flatten(1))
        return logits


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    """The identity, or a projection where the block changes the shape (option B)."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(*conv_norm(inputs, outputs, stride=stride))


def resnet18(num_classes: int = 1000) -> nn.Module:
    """11.7 million parameters, 1.8 GMACs at 224 pixels."""
    return ResNet(BasicBlock, (2, 2, 2, 2), num_classes)


def resnet50(num_classes: int = 1000) -> nn.Module:
    """25.6 million parameters, 4.1 GMACs at 224 pixels."""
    return ResNet(Bottleneck, (3, 4, 6, 3), num_classes)
