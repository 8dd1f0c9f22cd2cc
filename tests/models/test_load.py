import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from measuring.errors import InputError, MissingError
from measuring.input_spec import InputSpec
from models.catalog import create
from models.labels import imagenet_labels
from models.load import load, state_sha256
from models.weights import WEIGHTS

NAME = "shufflenet_v2_x0_5"


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Quiet."""


@contextmanager
def _serve(folder: Path) -> Iterator[str]:
    handler = partial(_QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
            thread.join()


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that stands where the published weights do, with no checksum to tell it apart."""
    folder = tmp_path / "published"
    folder.mkdir()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("STRIDE_CACHE", str(tmp_path / "cache"))
    with _serve(folder) as address:
        row = replace(WEIGHTS[NAME], url=f"{address}/a.pth", sha256_prefix="")
        monkeypatch.setitem(WEIGHTS, NAME, row)
        yield folder / "a.pth"


def _checkpoint(folder: Path, classes: int) -> Path:
    path = folder / "mine.pth"
    torch.save(create(NAME, classes).state_dict(), path)
    return path


def test_pretrained_weights_come_with_all_that_belongs_to_them(published: Path) -> None:
    torch.save(create(NAME).state_dict(), published)

    loaded = load(NAME)

    row = WEIGHTS[NAME]
    assert not loaded.network.training
    assert loaded.input_spec == row.input_spec
    assert loaded.input_spec_source == f"published with {NAME} IMAGENET1K_V1"
    assert loaded.labels == imagenet_labels()
    assert (loaded.source, loaded.trained, loaded.licence) == (row.url, True, "BSD-3-Clause")
    assert loaded.published_top1 == row.top1
    assert loaded.sha256 == hashlib.sha256(published.read_bytes()).hexdigest()


def test_pretrained_weights_with_another_input_spec_lose_the_published_accuracy(
    published: Path,
) -> None:
    torch.save(create(NAME).state_dict(), published)

    loaded = load(NAME, input_spec=InputSpec(size=192, resize=192))

    assert (loaded.published_top1, loaded.input_spec_source) == (None, "given")


def test_pretrained_weights_that_are_a_login_page_do_not_stay(
    published: Path, tmp_path: Path
) -> None:
    published.write_text("<html>please log in</html>")

    with pytest.raises(MissingError, match=f"is not the weights of {NAME}"):
        load(NAME)

    assert list((tmp_path / "cache").iterdir()) == []


def test_pretrained_weights_have_a_thousand_classes() -> None:
    with pytest.raises(InputError, match=f"weights of {NAME} have 1000 classes, not 10"):
        load(NAME, num_classes=10)


def test_untrained_weights_say_that_they_never_learnt() -> None:
    loaded = load(NAME, "untrained", input_spec=InputSpec(size=64, resize=64))

    assert (loaded.source, loaded.trained) == ("untrained", False)
    assert (loaded.licence, loaded.published_top1) == (None, None)
    assert loaded.sha256 == state_sha256(loaded.network.state_dict())
    assert loaded.labels == imagenet_labels()
    assert not loaded.network.training


def test_checkpoint_file_says_itself_how_many_classes_it_has(tmp_path: Path) -> None:
    path = _checkpoint(tmp_path, 3)

    loaded = load(NAME, path)

    assert loaded.network(torch.zeros(1, 3, 64, 64)).shape == (1, 3)
    assert loaded.labels == ("class 0", "class 1", "class 2")
    assert loaded.input_spec == WEIGHTS[NAME].input_spec
    assert (loaded.source, loaded.trained, loaded.licence) == ("mine.pth", True, None)
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.published_top1 is None


def test_checkpoint_file_of_a_thousand_classes_is_taken_for_imagenet(tmp_path: Path) -> None:
    assert load(NAME, str(_checkpoint(tmp_path, 1000))).labels == imagenet_labels()


def test_checkpoint_file_with_labels_and_input_spec_uses_them(tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("cat\ndog\n")
    spec = InputSpec(size=64, resize=72)

    loaded = load(NAME, _checkpoint(tmp_path, 2), labels=labels, input_spec=spec)

    assert loaded.labels == ("cat", "dog")
    assert (loaded.input_spec, loaded.input_spec_source) == (spec, "given")


def test_checkpoint_file_and_labels_of_another_number_show_both(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 labels for 2 classes"):
        load(NAME, _checkpoint(tmp_path, 2), labels=("cat",))


def test_checkpoint_file_and_another_number_of_classes_show_both(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has 2 classes, not 5"):
        load(NAME, _checkpoint(tmp_path, 2), num_classes=5)


def test_checkpoint_file_of_a_wider_network_names_both(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mine\.pth for shufflenet_v2_x1_0: .* another shape"):
        load("shufflenet_v2_x1_0", _checkpoint(tmp_path, 2))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("pretrainde", "expected `pretrained`, `untrained` or a file ending in .pth"),
        ("model.onnx", "expected `pretrained`, `untrained` or a file ending in .pth"),
        ("missing.pth", "missing.pth: there is no such file"),
    ],
)
def test_weights_that_are_no_file_say_what_is_accepted(weights: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(NAME, weights)


def test_network_that_does_not_exist_is_named() -> None:
    with pytest.raises(InputError, match="unknown network 'fasternet_t9'"):
        load("fasternet_t9", "untrained")
