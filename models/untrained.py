"""Untrained networks whose answers differ from picture to picture.

A freshly initialised network answers nearly the same to everything, so that "the converted network
answers as the original does" would prove nothing about it. Here every layer is scaled on varied
pictures until signals neither die nor explode, and the classifier looks along the directions in
which those pictures really differ.
"""

from functools import partial

import torch
from torch import Tensor, nn

from measuring.errors import CheckError
from measuring.input_spec import IMAGENET_MEAN, IMAGENET_STD
from measuring.pictures import varied_pictures
from models.operators import SqueezeExcitation

Channels = tuple[float, float, float]

PICTURES = 32  # to calibrate on
CHECKED = 64  # others, to check on
LEAST_CLASSES = 16
BATCH = 8

# Shallow bends and filters that mostly blur: differences between pictures then pass through tens
# of random layers about as they are. Plain random layers multiply every rounding error instead,
# until fp16 and int8 copies of the network disagree with it for no fault of theirs.
GAMMA = (0.4, 0.8)  # range of BatchNorm's scales
BETA = (0.7, 0.3)  # mean and standard deviation of its offsets
BLUR = 2.0  # a filter's constant part, relative to its noise
# Of what goes into a gate: gates that open and close widely, one behind the other, multiply a few
# pictures' signals a hundredfold, which eight bits cannot hold beside all others.
GATE = 0.2

# Two classes compete for each direction of difference, the rest are spread as in trained networks,
# whose top answer stands out from logits with a standard deviation of 1 to 3.
DIRECTIONS = 16
STRONG, WEAK = 5.0, 1.2


def calibrate(
    network: nn.Module,
    image_size: int,
    *,
    seed: int = 0,
    mean: Channels = IMAGENET_MEAN,
    std: Channels = IMAGENET_STD,
) -> None:
    """Give `network` seeded weights that tell pictures of (image_size, image_size) apart.

    The same seed gives the same weights on the same machine. Raises CheckError if fewer than 16
    different top-1 classes (half of the classes where there are fewer than 32) occur over 64
    varied pictures that the calibration never saw.
    """
    training = network.training
    network.eval()
    classifier = _classifier(network)
    pixels = partial(_pixels, size=image_size, mean=mean, std=std)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        _initialise(network, generator)
        features = _scale_layers(network, classifier, pixels(PICTURES, seed=2 * seed))
        _look_along_differences(classifier, features, generator)
        least = _least_classes(classifier.out_features)
        found = _classes_told_apart(network, pixels(CHECKED, seed=2 * seed + 1), least)
    network.train(training)
    if found < least:
        raise CheckError(
            f"the untrained network gives only {found} different top-1 classes over {CHECKED} "
            f"varied pictures of {image_size} px, expected {least}; take larger pictures or "
            "pretrained weights"
        )


def _least_classes(classes: int) -> int:
    return min(LEAST_CLASSES, (classes + 1) // 2)


def _classifier(network: nn.Module) -> nn.Linear:
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise CheckError("the network has no linear layer to answer with, so it is no classifier")
    return linear[-1]


def _pixels(count: int, *, size: int, seed: int, mean: Channels, std: Channels) -> Tensor:
    """Normalised pictures (count, 3, size, size)."""
    pictures = torch.from_numpy(varied_pictures(count, size, seed)).permute(0, 3, 1, 2)
    centre, scale = (torch.tensor(channels).view(3, 1, 1) for channels in (mean, std))
    return (pictures / 255 - centre) / scale


def _initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Seeded values of no particular size; `_scale_layers` gives them theirs."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.normal_(generator=generator)
            if module.bias is not None:
                module.bias.normal_(0, 0.1, generator=generator)
        if isinstance(module, nn.Conv2d):
            constant = module.weight.new_empty((*module.weight.shape[:2], 1, 1))
            module.weight.add_(constant.normal_(generator=generator), alpha=BLUR)
        if isinstance(module, nn.BatchNorm2d):
            module.weight.uniform_(*GAMMA, generator=generator)
            module.bias.normal_(*BETA, generator=generator)


def _scale_layers(network: nn.Module, classifier: nn.Linear, pixels: Tensor) -> Tensor:
    """One pass that sets each layer's scale from what really reaches it, first to last.

    Returns the features (N, F) that reach the classifier.
    """
    features: list[Tensor] = []
    gates = {module.fc2 for module in network.modules() if isinstance(module, SqueezeExcitation)}
    hooks = [
        classifier.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0].clone()))
    ]
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(_take_statistics))
        elif isinstance(module, nn.Conv2d | nn.Linear) and module is not classifier:
            deviation = GATE if module in gates else 1.0
            hooks.append(module.register_forward_hook(partial(_answer_with, deviation)))
    try:
        network(pixels)
    finally:
        for hook in hooks:
            hook.remove()
    return features[0]


def _take_statistics(norm: nn.Module, inputs: tuple[Tensor]) -> None:
    variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3), correction=0)
    # A channel that hardly moved here may move on other pictures: do not magnify it without limit.
    norm.get_buffer("running_var").copy_(variance.clamp(min=0.01 * float(variance.mean())))
    norm.get_buffer("running_mean").copy_(mean)


def _answer_with(
    deviation: float, layer: nn.Conv2d | nn.Linear, _: tuple[Tensor], output: Tensor
) -> Tensor:
    bias = None if layer.bias is None else layer.bias.view(-1, *(1,) * (output.ndim - 2))
    if bias is not None:
        output.sub_(bias)
    gain = deviation / output.std().clamp(min=1e-6)
    layer.weight.mul_(gain)
    output.mul_(gain)  # in place: the first maps of a large network fill the memory
    return output if bias is None else output.add_(bias)


def _look_along_differences(
    classifier: nn.Linear, features: Tensor, generator: torch.Generator
) -> None:
    """Principal directions of the differences between pictures, each with unit variance; some
    classes answer to one direction, forward or backward, all others faintly to a mixture."""
    classes, known = classifier.out_features, features.double()
    centre = known.mean(0)
    differences = known - centre
    # Without the part along the mean, which only says how strong a signal is.
    axis = centre / centre.norm().clamp(min=1e-12)
    differences -= (differences @ axis)[:, None] * axis
    _, strength, directions = torch.linalg.svd(differences, full_matrices=False)
    real = int((strength > 0.01 * strength[0]).sum())  # the rest is rounding
    count = max(1, min(DIRECTIONS, classes, real))
    scale = len(known) ** 0.5 / strength[:count].clamp(min=1e-9)
    unit = directions[:count] * scale[:, None]
    mixture = torch.randn(classes, count, generator=generator, dtype=torch.float64)
    mixture *= WEAK / count**0.5
    strong = torch.randperm(classes, generator=generator)[: 2 * count]
    answers = torch.eye(count, dtype=torch.float64)
    mixture[strong] = STRONG * torch.cat([answers, -answers])[: len(strong)]
    weight = mixture @ unit
    classifier.weight.copy_(weight)
    if classifier.bias is not None:
        classifier.bias.copy_(-(weight @ centre))


def _classes_told_apart(network: nn.Module, pixels: Tensor, enough: int) -> int:
    """Different top-1 classes over `pixels`; stops counting at `enough`."""
    seen: set[int] = set()
    for start in range(0, len(pixels), BATCH):
        seen.update(network(pixels[start : start + BATCH]).argmax(1).tolist())
        if len(seen) >= enough:
            break
    return len(seen)
