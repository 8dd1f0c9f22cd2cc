"""A folder as an earlier run of the digits example has left it, without the training."""

import json
from pathlib import Path

from demo.checkpoints import NETWORKS, SEED


def write_checkpoint(path: Path, **facts: object) -> None:
    """The header of a safetensors file that holds no tensors."""
    header = json.dumps({"__metadata__": {"training": json.dumps(facts)}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)


def write_trained_before(directory: Path, *, pictures: int, seed: int = SEED) -> None:
    """Three checkpoints and held-out "pictures" whose bytes are their label."""
    for index in range(pictures):
        path = directory / "held_out" / str(index % 10) / f"{index:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(str(index % 10).encode())
    for network in NETWORKS:
        write_checkpoint(directory / f"{network}.safetensors", network=network, seed=seed)
