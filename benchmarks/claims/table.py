"""The eighteen claims: one row each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.claims import (
    arithmetic,
    fit,
    networks,
    operators,
    stages,
    trained,
    training_memory,
)
from benchmarks.claims.evidence import Evidence
from benchmarks.claims.verdict import Finding

Judge = Callable[[Evidence], list[Finding]]


@dataclass(frozen=True)
class Claim:
    """`text`: what the sources say; `judge`: what there is to say to it; `studies`: the
    measurements it needs, rows of `benchmarks.claims.studies`."""

    number: int
    title: str
    text: str
    judge: Judge
    studies: Sequence[str] = ()


CLAIMS = (
    Claim(1, "Worked example",
          "12 x 12 x 3 to 8 x 8 x 256 with a 5 x 5 kernel, no padding: 19,200 weights and "
          "1,228,800 multiplications; depthwise separable 843 and 53,952, 4.4 %.",
          arithmetic.worked_example),
    Claim(2, "Depthwise convolution is bound by memory",
          "Depthwise convolution needs far fewer FLOPs, but its latency does not fall with them: "
          "at the same FLOPs it reads and writes 100 times as much.",
          operators.depthwise, ("operators", "peaks")),
    Claim(3, "EfficientNet is slower than RegNet",
          "EfficientNet, with fewer FLOPs, is slower than RegNet with more, up to 5 times.",
          networks.efficientnet, ("networks", "heavy networks")),
    Claim(4, "Group convolution",
          "Group convolution divides FLOPs and weights by g; without shuffle, groups do not mix.",
          arithmetic.groups, ("operators",)),
    Claim(5, "Channel-wise convolution",
          "One small kernel slides over the channel axis: d_c weights, and no c1 c2 term.",
          arithmetic.channelwise, ("operators",)),
    Claim(6, "Depthwise separable does not suit a GPU",
          "Intermediate results cost memory traffic and more kernels.",
          operators.separable_on_gpu, ("operators on a GPU",)),
    Claim(7, "Rank-1 kernels",
          "A kernel K = a b^T runs as two 1-D convolutions: 2k instead of k^2 per pixel.",
          arithmetic.rank_one, ("operators",)),
    Claim(8, "Latency = FLOPs / FLOPS",
          "Most \"efficient\" networks achieve a lower FLOPS (rate) than ResNet-50.",
          networks.rates, ("networks",)),
    Claim(9, "Memory access",
          "Regular: h w 2c + k^2 c^2; depthwise, widened to c': h w 2c' + k^2 c'.",
          arithmetic.memory_access),
    Claim(10, "Partial convolution",
          "PConv on a quarter of the channels: 1/16 of the FLOPs and about 1/4 of the memory "
          "access of the regular convolution.",
          arithmetic.partial, ("operators",)),
    Claim(11, "PConv + PWConv is T-shaped",
          "The pair approximates a T-shaped convolution and needs fewer FLOPs than it.",
          arithmetic.t_shaped, ("operators",)),
    Claim(12, "The centre carries most of a filter",
          "The centre of a trained 3 x 3 filter (position 5) carries most of its norm.",
          trained.centres, ("weights",)),
    Claim(13, "PConv + PWConv approximates best",
          "It approximates a regular convolution with a lower MSE than DWConv + PWConv or GConv + "
          "PWConv.",
          fit.approximation, ("fits",)),
    Claim(14, "FasterNet is better at a given latency",
          "FasterNet T0-L: better accuracy at a given latency than MobileNet and ShuffleNet of the "
          "time; GELU for small variants, ReLU for large; BatchNorm folds; c_p/c = 1/4 is best.",
          networks.fasternet, ("networks", "variants")),
    Claim(15, "ShuffleNetV2's guidelines",
          "G1: equal channel width is fastest. G2: groups cost memory access. G3: fragments cost "
          "parallelism. G4: element-wise operations are not free.",
          operators.guidelines, ("guidelines",)),
    Claim(16, "ShuffleNetV2's memory in training",
          "Very few parameters and FLOPs, but many feature maps: much memory in training, little "
          "at inference.",
          training_memory.training_memory, ("memory",)),
    Claim(17, "Feature maps resemble one another",
          "Feature maps of different channels are highly similar.",
          trained.similar_maps, ("weights",)),
    Claim(18, "FasterNet's last two stages",
          "They have less memory access and a higher achieved rate, hence more blocks there.",
          stages.last_stages, ("stages",)),
)  # fmt: skip
