"""Claims 12 and 17: about what ImageNet training leaves in filters and feature maps. They can be
looked at in any weights, and are decided only by trained ones of 1000 classes."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.claims.evidence import CENTRES, SIMILARITY, Evidence, value
from benchmarks.claims.verdict import Finding, exactly
from exporters.photographs import photographs
from inference.decode import decode
from inference.engine import Pixels
from inference.preprocess import preprocess
from measuring.errors import InputError
from measuring.input_spec import InputSpec
from measuring.latencies import latencies
from measuring.machine import Machine
from measuring.pictures import varied_pictures
from measuring.record import Measurement, Scalar, now
from models import Loaded
from models.pixels_in import PixelsIn

CENTRE = 4  # of the nine positions, in rows
_ALIKE = 0.8
_MAX_PIXELS = 50_000_000
_PICTURES = 16
_NEEDED = "needs ImageNet-trained weights: stride claims {} --weights NETWORK=FILE"


def measure_trained(
    name: str, loaded: Loaded, folder: Path | None, machine: Machine
) -> list[Measurement]:
    """A record of each analysis of one network's weights, on the pictures of `folder`, or on
    photographs that scikit-image and scikit-learn carry.

    Raises InputError for a folder without pictures."""
    common: dict[str, Scalar] = {
        "network": name,
        "weights": loaded.source,
        "imagenet": loaded.trained and len(loaded.labels) == 1000,
    }
    analyses: dict[str, Callable[[], dict[str, Scalar]]] = {
        CENTRES: lambda: filter_centres(loaded.network),
        SIMILARITY: lambda: similarity(loaded, pixels_of(folder, loaded.input_spec)),
    }
    found = []
    for kind, analyse in analyses.items():
        started, clock = now(), time.perf_counter()
        figures = analyse()
        seconds = latencies([time.perf_counter() - clock])
        found.append(Measurement(kind, common | figures, seconds, machine, started))
    return found


def filter_centres(network: nn.Module) -> dict[str, Scalar]:
    """Over all filters of dense 3x3 convolutions: how many have the largest norm in the centre,
    and the share of the squared norm that lies there. FasterNet, section 3.3 and figure 4."""
    strongest, shares = [], []
    for weight in _dense(network):
        norms = weight.double().flatten(2).square().sum(dim=1)  # (out, 9)
        strongest.append(norms.argmax(dim=1))
        shares.append(norms[:, CENTRE] / norms.sum(dim=1))
    if not strongest:
        return {"filters": 0, "centre_first": 0.0, "centre_share": 0.0}
    first = torch.cat(strongest)
    return {
        "filters": len(first),
        "centre_first": float((first == CENTRE).double().mean()),
        "centre_share": float(torch.cat(shares).mean()),
    }


def _dense(network: nn.Module) -> Iterator[Tensor]:
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3) and module.groups == 1:
            yield module.weight.detach()


def similarity(loaded: Loaded, pixels: Pixels) -> dict[str, Scalar]:
    """Over the maps that convolutions of at least 16 channels write: the share of channels that
    have another one with a correlation of 0.8 or more, either way, over pixels and pictures."""
    alike: list[Tensor] = []

    def look(_: nn.Module, __: tuple[Tensor, ...], maps: Tensor) -> None:
        if maps.shape[1] >= 16 and maps.shape[2] * maps.shape[3] >= 49:
            alike.append(partners(maps) >= _ALIKE)

    for module in loaded.network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(look)
    with torch.inference_mode():
        PixelsIn(loaded.network, loaded.input_spec).eval()(torch.from_numpy(pixels))
    every = torch.cat(alike) if alike else torch.zeros(1)
    return {"channels": len(every), "alike": float(every.double().mean()), "pictures": len(pixels)}


def partners(maps: Tensor) -> Tensor:
    """For each channel of (N, C, H, W) the largest |correlation| with another one."""
    flat = maps.double().permute(1, 0, 2, 3).flatten(1)
    flat = flat - flat.mean(dim=1, keepdim=True)
    flat = flat / flat.norm(dim=1, keepdim=True).clamp_min(1e-12)
    closest: Tensor = (flat @ flat.T).abs().fill_diagonal_(0.0).amax(dim=1)
    return closest


def pixels_of(folder: Path | None, spec: InputSpec) -> Pixels:
    """Pictures (N, size, size, 3), at most sixteen."""
    if folder is None:
        carried = photographs(spec)
        return varied_pictures(_PICTURES, spec.size, seed=0) if carried is None else carried
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not files:
        raise InputError(f"{folder} holds no .jpg, .jpeg or .png, expected pictures to look at")
    pictures = [
        preprocess(decode(file.read_bytes(), max_pixels=_MAX_PIXELS), spec)
        for file in files[:_PICTURES]
    ]
    return np.stack(pictures)


def centres(evidence: Evidence) -> list[Finding]:
    """Claim 12."""
    found = [
        _finding(measured.settings, "share of filters that are strongest in the centre",
                 value(measured, "centre_first"))
        for measured in evidence.find(CENTRES)
    ]  # fmt: skip
    return _decided(found, "share of filters that are strongest in the centre", 12)


def similar_maps(evidence: Evidence) -> list[Finding]:
    """Claim 17."""
    what = "share of channels with a twin (correlation of 0.8 or more)"
    found = [_finding(m.settings, what, value(m, "alike")) for m in evidence.find(SIMILARITY)]
    return _decided(found, what, 17)


def _finding(settings: Mapping[str, Scalar], what: str, share: float) -> Finding:
    trained = bool(settings["imagenet"])
    weights = settings["weights"] if trained else f"{settings['weights']}, not ImageNet's"
    return Finding(f"{settings['network']} ({weights}): {what}", exactly(share), "above", 0.5, "",
                   counts=trained)  # fmt: skip


def _decided(found: list[Finding], what: str, claim: int) -> list[Finding]:
    if any(finding.counts for finding in found):
        return found
    return [*found, Finding(what, None, "above", 0.5, "", _NEEDED.format(claim))]
