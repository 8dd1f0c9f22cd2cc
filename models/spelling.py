"""FasterNet's keys as timm spells them, in the spelling of its authors, which is ours.

timm puts the merging that precedes a stage inside that stage, so that its stages count 0 to 3
where the authors count stages and mergings together, 0 to 6.
"""

import re
from collections.abc import Mapping

from torch import Tensor

_STAGE = re.compile(r"stages\.(\d+)\.(downsample\.)?")
_HEADS = {"conv_head.": "avgpool_pre_head.1.", "classifier.": "head."}


def authors_spelling(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` with the authors' keys; unchanged where it has them already."""
    if "conv_head.weight" not in state:
        return dict(state)
    return {_authors_key(key): tensor for key, tensor in state.items()}


def _authors_key(key: str) -> str:
    for timm, authors in _HEADS.items():
        if key.startswith(timm):
            return authors + key.removeprefix(timm)
    return _STAGE.sub(_authors_stage, key, count=1) if key.startswith("stages.") else key


def _authors_stage(match: re.Match[str]) -> str:
    stage, downsample = int(match[1]), match[2]
    return f"stages.{2 * stage - 1 if downsample else 2 * stage}."
