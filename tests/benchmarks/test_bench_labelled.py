from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.bench import begin, carry_out
from benchmarks.bench_labelled import class_index, labelled_pictures
from benchmarks.bench_plan import Effort, Sweep
from inference.artifact import Artifact, read_artifact
from inference.open_engine import open_engine
from measuring.errors import InputError
from measuring.pictures import varied_pictures
from tests.benchmarks.watchers import Onlooker
from tests.tiny import SIZE, write_tiny

BRIEF = Effort(blocks=2, seconds=0.0, rounds=1, percentile="p50")


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return read_artifact(write_tiny(tmp_path / "artifacts"))


def write_pictures(folder: Path, labels: list[str]) -> None:
    for index, pixels in enumerate(varied_pictures(len(labels), SIZE, seed=5)):
        path = folder / labels[index] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def answers(artifact: Artifact, count: int) -> list[int]:
    engine = open_engine(artifact, runtime="onnxruntime", threads=1)
    try:
        logits = engine.infer(varied_pictures(count, SIZE, seed=5))
    finally:
        engine.close()
    return [int(index) for index in np.argmax(logits, axis=1)]


def test_accuracy_is_the_share_of_pictures_that_are_classified_rightly(
    tmp_path: Path, artifact: Artifact
) -> None:
    right = answers(artifact, 8)
    labels = [f"Class_{it if index < 6 else (it + 1) % 32}" for index, it in enumerate(right)]
    write_pictures(tmp_path / "photos", labels)
    sweep = Sweep(batches=(1,), runtimes=("onnxruntime",), threads=(1,), effort=BRIEF)
    journal, _ = begin([artifact], sweep, tmp_path)
    labelled = labelled_pictures(tmp_path / "photos")

    (record,) = carry_out(journal, tmp_path, Onlooker(), labelled).points

    assert record.settings["accuracy"] == 0.75
    assert record.settings["accuracy_source"] == "measured on 8 pictures of photos"


def test_labels_of_a_table_may_be_numbers(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["7", "7"])
    (tmp_path / "labels.csv").write_text("file,label\n7/0.png, 3\n7/1.png,class 1\n")
    found = labelled_pictures(tmp_path)
    assert [name for _, name in found.pictures] == ["3", "class 1"]
    assert [class_index(name, ["class 0", "class 1", "x", "y"]) for name in ("3", "class 1")] == [
        *(3, 1)
    ]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        pytest.param({}, "has no labelled pictures; expected a subfolder for each", id="empty"),
        pytest.param({"a.csv": "", "b.csv": ""}, r"several tables \(a.csv, b.csv\)", id="tables"),
        pytest.param({"a.csv": "x.png,1\n"}, "row 1: no picture .*x.png", id="missing"),
        pytest.param({"a.csv": "f,l\nx.png\n"}, "row 2 has 1 cells", id="cells"),
    ],
)
def test_labelled_pictures_that_cannot_be_used_are_an_error(
    tmp_path: Path, files: dict[str, str], told: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=told):
        labelled_pictures(tmp_path)


def test_labelled_pictures_of_unknown_classes_are_an_error_before_measuring(
    tmp_path: Path, artifact: Artifact
) -> None:
    write_pictures(tmp_path / "photos", ["zebra"])
    journal, _ = begin([artifact], Sweep(batches=(1,), effort=BRIEF), tmp_path)
    onlooker = Onlooker()
    with pytest.raises(InputError, match="no class 'zebra'; expected one of its 32 labels"):
        carry_out(journal, tmp_path, onlooker, labelled_pictures(tmp_path / "photos"))
    assert onlooker.steps == []
    with pytest.raises(InputError, match="is no folder"):
        labelled_pictures(tmp_path / "nowhere")
