from pathlib import Path

import pytest

from inference.errors import ArtifactError, ParityError
from measuring.errors import InputError, MissingError
from service.loading import choose, load
from service.settings import ModelSpec
from tests.tiny import write_tiny


def test_choose_takes_everything_that_is_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_tiny(tmp_path, "one")
    (write_tiny(tmp_path, "two") / "model.onnx").write_bytes(b"damaged")

    chosen = choose(tmp_path, ())

    assert [entry.artifact.manifest.id for entry in chosen] == ["one-onnx-fp32"]
    assert chosen[0].aliases == ("one",)
    assert "left out artifact=two-onnx-fp32" in caplog.text


def test_choose_named_and_damaged_is_an_error(tmp_path: Path) -> None:
    (write_tiny(tmp_path, "two") / "model.onnx").write_bytes(b"damaged")

    with pytest.raises(ArtifactError, match=r"model.onnx has 7 bytes, expected \d+; rebuild"):
        choose(tmp_path, [ModelSpec("two-onnx-fp32")])


def test_choose_named_and_absent_lists_what_is_there(tmp_path: Path) -> None:
    write_tiny(tmp_path, "one")

    with pytest.raises(InputError, match=r"no artifact 'three' in .*; there is: one-onnx-fp32"):
        choose(tmp_path, [ModelSpec("three")])


def test_choose_from_nothing_says_how_to_make_something(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"no artifact to serve .* `stride export NETWORK`"):
        choose(tmp_path, ())


def test_choose_the_same_artifact_twice_is_refused(tmp_path: Path) -> None:
    write_tiny(tmp_path, "one")

    with pytest.raises(InputError, match="names one-onnx-fp32 twice"):
        choose(tmp_path, [ModelSpec("one-onnx-fp32"), ModelSpec("one-onnx-fp32", alias="b")])


def test_choose_an_alias_that_is_taken_is_refused(tmp_path: Path) -> None:
    write_tiny(tmp_path, "one")
    write_tiny(tmp_path, "two", seed=1)
    specs = [ModelSpec("one-onnx-fp32", alias="a"), ModelSpec("two-onnx-fp32", alias="a")]

    with pytest.raises(InputError, match="the alias 'a' is taken"):
        choose(tmp_path, specs)


def test_choose_a_name_given_as_alias_belongs_to_whom_it_was_given(tmp_path: Path) -> None:
    write_tiny(tmp_path, "one")
    write_tiny(tmp_path, "two", seed=1)

    first, second = choose(
        tmp_path, [ModelSpec("one-onnx-fp32", alias="two"), ModelSpec("two-onnx-fp32")]
    )

    assert set(first.aliases) == {"one", "two"}
    assert second.aliases == ()


def test_load_opens_warm_engines_and_measures_them(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    (chosen,) = choose(tmp_path, [ModelSpec("tiny-onnx-fp32", instances=2, threads=1)])

    loaded = load(chosen, queue_capacity=3)

    info = loaded.info
    assert len(loaded.engines) == info.instances == 2
    assert info.max_batch in info.seconds_by_batch
    assert all(seconds > 0 for seconds in info.seconds_by_batch.values())
    assert info.queue_capacity >= 3


def test_load_with_a_batch_size_beyond_the_engine_is_refused(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    (chosen,) = choose(tmp_path, [ModelSpec("tiny-onnx-fp32", max_batch=4096)])

    with pytest.raises(InputError, match="max_batch=4096, but onnxruntime cpu fp32 takes at most"):
        load(chosen, queue_capacity=3)


def test_load_an_artifact_with_other_answers_is_refused(tmp_path: Path) -> None:
    """The checksums fit, the answers do not: only replaying the golden pictures can tell."""
    first = write_tiny(tmp_path, "one")
    other = write_tiny(tmp_path, "two", seed=1)
    for file in ("model.onnx", "manifest.json"):
        text = (other / file).read_bytes()
        (first / file).write_bytes(
            text.replace(b"two-onnx", b"one-onnx").replace(b'"two"', b'"one"')
        )
    import json

    from inference.artifact import describe

    manifest = json.loads((first / "manifest.json").read_text())
    entry = describe(first / "reference.npz")
    manifest["files"]["reference.npz"] = {"sha256": entry.sha256, "size": entry.size}
    (first / "manifest.json").write_text(json.dumps(manifest))
    (chosen,) = choose(tmp_path, [ModelSpec("one-onnx-fp32")])

    with pytest.raises(ParityError, match="does not answer as its network does"):
        load(chosen, queue_capacity=3)


def test_load_null_runtime_serves_the_floor(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    (chosen,) = choose(tmp_path, [ModelSpec("tiny-onnx-fp32", runtime="null")])

    loaded = load(chosen, queue_capacity=3)

    assert (loaded.info.runtime, loaded.info.id) == ("null", "tiny-onnx-fp32-null")


def test_choose_a_folder_under_another_name_is_refused(tmp_path: Path) -> None:
    write_tiny(tmp_path, "one").rename(tmp_path / "copy")

    with pytest.raises(ArtifactError, match="one-onnx-fp32"):
        choose(tmp_path, [ModelSpec("copy")])
