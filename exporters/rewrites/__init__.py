"""Rewrites: passes that change how a network computes and not what.

Each takes a chain from pixels to logits (`prelude.pixels_in`) and gives another one, or None
where it does not apply. Which of them a file is made with is written in its variant; which pay,
where, is measured: docs/rewrites.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from exporters.rewrites.fold import fold
from exporters.rewrites.pooling import pool_by_rows
from exporters.rewrites.prelude import mean_in_stem, scale_in_stem
from exporters.rewrites.shuffle_free import shuffle_free
from exporters.rewrites.shuffle_plan import Arrangement

Rewrite = Callable[[nn.Sequential], nn.Sequential | None]


@dataclass(frozen=True)
class Rewritten:
    """`chain`: uint8 (N, H, W, 3) to logits; `applied`: the names of the rewrites that did."""

    chain: nn.Sequential
    applied: tuple[str, ...]


def rewrite(chain: nn.Sequential, names: Sequence[str]) -> Rewritten:
    """The rewrites `names`, rows of REWRITES, one after the other; the caller's chain stays."""
    applied = []
    for name in names:
        changed = REWRITES[name](chain)
        if changed is not None:
            chain = changed
            applied.append(name)
    return Rewritten(chain, tuple(applied))


def _of_network(change: Callable[[nn.Module], nn.Module | None]) -> Rewrite:
    """A pass over the network, which stands last in the chain, as a pass over the chain."""

    def change_last(chain: nn.Sequential) -> nn.Sequential | None:
        *steps, network = chain
        changed = change(network)
        return None if changed is None else nn.Sequential(*steps, changed).eval()

    return change_last


def _fold(network: nn.Module) -> nn.Module | None:
    folded = fold(network)
    return folded.network if folded.folded else None


# Aligned to the 16 float32 of a 512-bit register, as ONNX Runtime's blocked layout demands.
ALIGNED = Arrangement(block=16, least=12, split=False)

REWRITES: dict[str, Rewrite] = {
    "fold_batch_norms": _of_network(_fold),
    "pool_by_rows": _of_network(pool_by_rows),
    "shuffle_free": _of_network(lambda network: shuffle_free(network, Arrangement())),
    "shuffle_free_aligned": _of_network(lambda network: shuffle_free(network, ALIGNED)),
    "scale_in_stem": scale_in_stem,
    "mean_in_stem": mean_in_stem,
}
