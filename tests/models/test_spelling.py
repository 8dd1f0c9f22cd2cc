import re

import torch
from torch import Tensor

from models.catalog import create
from models.checkpoint import load_state
from models.spelling import authors_spelling


def _timm_spelling(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The way back: stages and mergings, counted together, become stages that begin by merging."""
    return {_timm_key(key): tensor for key, tensor in state.items()}


def _timm_key(key: str) -> str:
    if match := re.match(r"stages\.(\d)\.", key):
        index = int(match[1])
        merging = "downsample." if index % 2 else ""
        return f"stages.{(index + 1) // 2}.{merging}{key[match.end() :]}"
    return re.sub(r"^head\.", "classifier.", key.replace("avgpool_pre_head.1.", "conv_head."))


def test_fasternet_keys_of_timm_become_those_of_the_authors() -> None:
    keys = {
        "patch_embed.proj.weight": "patch_embed.proj.weight",
        "stages.0.blocks.0.mlp.0.weight": "stages.0.blocks.0.mlp.0.weight",
        "stages.1.downsample.reduction.weight": "stages.1.reduction.weight",
        "stages.1.downsample.norm.bias": "stages.1.norm.bias",
        "stages.1.blocks.1.mlp.3.weight": "stages.2.blocks.1.mlp.3.weight",
        "stages.3.downsample.norm.weight": "stages.5.norm.weight",
        "stages.3.blocks.0.spatial_mixing.partial_conv3.weight": (
            "stages.6.blocks.0.spatial_mixing.partial_conv3.weight"
        ),
        "conv_head.weight": "avgpool_pre_head.1.weight",
        "classifier.bias": "head.bias",
    }
    state = {key: torch.tensor(float(index)) for index, key in enumerate(keys)}

    renamed = authors_spelling(state)

    assert list(renamed) == list(keys.values())
    assert list(renamed.values()) == list(state.values())


def test_fasternet_answers_alike_from_either_spelling() -> None:
    original, from_timm = create("fasternet_t0").eval(), create("fasternet_t0").eval()
    timm = _timm_spelling(original.state_dict())
    images = torch.randn(2, 3, 64, 64)

    load_state(from_timm, timm)

    assert set(timm) != set(original.state_dict())
    assert torch.equal(original(images), from_timm(images))


def test_keys_of_the_authors_stay_as_they_are() -> None:
    state = create("fasternet_t0").state_dict()

    assert list(authors_spelling(state)) == list(state)
