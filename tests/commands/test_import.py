"""`stride import` and the commands that take what it made, as a user would run them."""

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import onnx
import pytest

import cli
from inference.artifact import named_artifact
from inference.classification import top_k
from inference.decode import decode
from inference.open_engine import open_engine
from inference.preprocess import preprocess
from tests.classifiers import SIZE, Foreign
from tests.service.client import png
from tests.service.process import ServiceProcess

INPUT = f"size = {SIZE}\nresize = {SIZE}\nmean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\n"
LABELS = ("ant", "bee", "cat", "dog", "elk", "fox")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    onnx.save_model(Foreign(batch=1, flatten="Reshape", end="Softmax").model(), folder / "m.onnx")
    onnx.save_model(Foreign(sides=("h", "w")).model(), folder / "any.onnx")
    (folder / "labels.txt").write_text("\n".join(LABELS) + "\n")
    (folder / "input.toml").write_text(INPUT)
    (folder / "photo.png").write_bytes(png(1, 40))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        options = "--labels labels.txt --input-spec input.toml --name animals --quiet"
        assert cli.run(["import", "m.onnx", *options.split()]) == 0
    return folder


@pytest.fixture
def inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[ServiceProcess]:
    service = ServiceProcess(folder / "artifacts", "--drain-delay", "0").wait_until_ready()
    yield service
    assert service.stop() == 0, service.text


@pytest.mark.usefixtures("inside")
def test_import_verifies_and_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["import", "m.onnx", "--name", "shown", "--repository", "other"]) == 0

    shown = capsys.readouterr()
    assert "input: images, float32 NCHW, 16 x 16 pixels\n" in shown.err
    assert "output: scores, logits before the Softmax, 6 classes\n" in shown.err
    assert "batch: fixed to 1 in the file, made free\n" in shown.err
    assert "labels: class 0 to class 5; --labels names them\n" in shown.err
    verified = [line for line in shown.err.splitlines() if line.startswith("verify: ")]
    assert verified, shown.err
    assert all("top-1 agreement 100.0% of " in line for line in verified)
    assert "shown-onnx-fp32" in shown.out
    assert "Serve it: stride serve --repository other\n" in shown.err


@pytest.mark.usefixtures("inside")
def test_import_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--json", "--quiet", "--untrained", "--repository", "third")
    assert cli.run(["import", "m.onnx", *options]) == 0

    shown = capsys.readouterr()
    (artifact,) = json.loads(shown.out)["artifacts"]
    assert artifact["id"] == "m-onnx-fp32"
    assert artifact["trained"] is False
    assert artifact["cost"]["macs"] > 0
    assert all(parity["top1_agreement"] == 1.0 for parity in artifact["parity"])
    assert shown.err == ""


@pytest.mark.usefixtures("inside")
def test_verify_takes_it_like_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["verify", "animals", "--json"]) == 0

    report = json.loads(capsys.readouterr().out)["artifacts"][0]
    assert report["holds"] is True


@pytest.mark.usefixtures("inside")
def test_classify_here_and_over_http_agree(
    service: ServiceProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = []
    for where in ([], ["--url", service.url]):
        assert cli.run(["classify", "photo.png", "--json", *where]) == 0
        answers.append(json.loads(capsys.readouterr().out)["images"][0]["predictions"])

    here, there = answers
    assert here[0]["label"] in LABELS
    for mine, theirs in zip(here, there, strict=True):
        assert mine["label"] == theirs["label"]
        assert mine["probability"] == pytest.approx(theirs["probability"], abs=1e-5)


@pytest.mark.usefixtures("inside")
def test_classify_refuses_more_classes_than_there_are(
    service: ServiceProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    for where in ([], ["--url", service.url]):
        assert cli.run(["classify", "photo.png", "-k", "7", *where]) == 2
        assert "k is 7, expected 1 to 6" in capsys.readouterr().err


@pytest.mark.usefixtures("inside")
def test_classify_decodes_exactly_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["classify", "photo.png", "--exact-decoding", "--json", "-k", "6"]) == 0

    shown = json.loads(capsys.readouterr().out)["images"][0]
    artifact = named_artifact(Path("artifacts"), "animals")
    exact = preprocess(
        decode(Path("photo.png").read_bytes(), max_pixels=10**7), artifact.manifest.input
    )
    with closing(open_engine(artifact)) as engine:
        expected = top_k(engine.infer(exact[None])[0], 6, LABELS)
    got = [(each["label"], each["probability"]) for each in shown["predictions"]]
    assert got == [(each.label, pytest.approx(each.probability, abs=1e-6)) for each in expected]


@pytest.mark.usefixtures("inside")
def test_classify_over_http_leaves_decoding_to_the_service(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["classify", "photo.png", "--exact-decoding", "--url", "localhost:9"]
    assert cli.run(arguments) == 2

    assert "stride serve --exact-decoding" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param("absent.onnx", "absent.onnx is not a file", id="absent"),
        pytest.param("labels.txt", "labels.txt is no ONNX model", id="text"),
        pytest.param("photo.png", "photo.png is no ONNX model", id="picture"),
        pytest.param("any.onnx", "any size at images, and none was given", id="size"),
        pytest.param("m.onnx --labels photo.png", "is not UTF-8", id="labels"),
        pytest.param("m.onnx --input-spec labels.txt", "labels.txt is not TOML", id="spec"),
        pytest.param("m.onnx --name Upper", "artifact name 'Upper': expected", id="name"),
        pytest.param("any.onnx --input-spec input.toml --name animals",
                     "animals-onnx-fp32 exists with other weights: m.onnx", id="other-weights"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("inside")
def test_import_refuses_with_a_message(
    capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    assert cli.run(["import", *arguments.split()]) == 2

    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("error: ") == 1
    assert "Traceback" not in shown.err


@pytest.mark.usefixtures("inside")
def test_import_without_what_it_needs_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "exporters.imported", None)

    assert cli.run(["import", "m.onnx"]) == 3

    assert 'install it with: pip install "stride[export]"' in capsys.readouterr().err
