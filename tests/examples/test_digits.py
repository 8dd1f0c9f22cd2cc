"""The digits example leaves what an export needs, and what it says of itself is so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open

from inference.decode import decode
from inference.preprocess import preprocess
from measuring.input_spec_file import read_input_spec
from measuring.percentiles import CLAIMS, least_count
from models import create
from models.checkpoint import load_state, read_state
from models.labels import read_labels

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "digits"
NETWORK = "shufflenet_v2_x0_5"


def train(*arguments: str, timeout: float = 200.0) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, str(EXAMPLE / "train.py"), *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def training_of(checkpoint: Path) -> dict[str, str]:
    with safe_open(checkpoint, "numpy") as file:
        metadata: dict[str, str] = file.metadata()
    return metadata


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One short training for all that is asked of its files."""
    directory = tmp_path_factory.mktemp("digits") / "new"
    done = train(NETWORK, "--out", str(directory), "--epochs", "1", "--seed", "5")
    assert done.returncode == 0, done.stderr
    assert f"{NETWORK}: " in done.stderr
    assert " of 719 held-out pictures right" in done.stderr
    return directory


def test_checkpoint_loads_strictly(trained: Path) -> None:
    network, state = create(NETWORK, num_classes=10), read_state(trained / f"{NETWORK}.safetensors")

    load_state(network, state)

    loaded = network.state_dict()
    assert set(loaded) == set(state)
    assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_checkpoint_says_how_it_was_made(trained: Path) -> None:
    metadata = training_of(trained / f"{NETWORK}.safetensors")

    # One entry: several would be written in any order, and equal weights be unequal files.
    assert list(metadata) == ["training"]
    facts = json.loads(metadata["training"])
    assert (facts["network"], facts["epochs"], facts["seed"]) == (NETWORK, 1, 5)
    assert 0.0 <= facts["held_out_top1"] <= 1.0


def test_companions_can_be_read(trained: Path) -> None:
    spec = read_input_spec(trained / "input.toml")

    assert read_labels(trained / "labels.txt", classes=10) == tuple("0123456789")
    assert (spec.size, spec.resize, spec.interpolation) == (40, 40, "bilinear")
    assert (spec.mean, spec.std) == ((0.305,) * 3, (0.376,) * 3)


def test_held_out_pictures_are_enough_and_of_every_digit(trained: Path) -> None:
    counts = [len(list(folder.iterdir())) for folder in sorted(trained.glob("held_out/*"))]

    assert sum(counts) == 719 >= least_count(CLAIMS["p99"])
    assert len(counts) == 10
    assert min(counts) >= 69


def test_held_out_picture_passes_through_the_service_path(trained: Path) -> None:
    path = next(trained.glob("held_out/7/*.png"))

    with Image.open(path) as image:
        assert (image.size, image.mode) == ((8, 8), "L")
    image_pixels = decode(path.read_bytes(), max_pixels=64)
    pixels = preprocess(image_pixels, read_input_spec(trained / "input.toml"))

    assert pixels.shape == (40, 40, 3)
    assert (pixels == pixels[:, :, :1]).all()
    assert pixels.max() > 128


def test_nothing_else_is_left(trained: Path) -> None:
    assert sorted(path.name for path in trained.iterdir()) == [
        "held_out",
        "input.toml",
        "labels.txt",
        f"{NETWORK}.safetensors",
    ]


def test_unknown_network_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    done = train("fasternet_t9", "--out", str(tmp_path / "new"))

    assert done.returncode == 2
    assert "error: unknown network fasternet_t9: expected some of fasternet_t0" in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_recipe_reaches_97_percent_of_the_held_out_pictures(tmp_path: Path) -> None:
    # The quickest of the three networks of the demo, half a minute on a core of its own.
    network = "shufflenet_v2_x1_0"

    done = train(network, "--out", str(tmp_path), timeout=580.0)

    assert done.returncode == 0, done.stderr
    training = training_of(tmp_path / f"{network}.safetensors")
    assert json.loads(training["training"])["held_out_top1"] >= 0.97
