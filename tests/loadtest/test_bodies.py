"""The bodies of requests: read again by who did not write them."""

import json
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

import loadtest.bodies
from loadtest.bodies import bodies, message, path
from loadtest.service import Model
from loadtest.target import BodyKind, Target

MODEL = Model("m", size=32, classes=5, input="data", output="scores")


def target(body: BodyKind = "pixels", batch: int = 1, side: int = 64, **more: object) -> Target:
    return Target("http://127.0.0.1:81/base/", "a b", body=body, batch=batch, side=side, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "form"), [("jpeg", "JPEG"), ("png", "PNG")])
def test_pictures_are_files_of_the_side_that_was_asked_for(kind: BodyKind, form: str) -> None:
    made, notes = bodies(Target("http://h", "m", "v1", kind, side=64), MODEL, seed=0)
    images = [Image.open(BytesIO(body.data)) for body in made]
    assert {image.format for image in images} == {form}
    assert {min(image.size) for image in images} == {64}
    assert len({max(image.size) for image in images}) > 1  # photographs have proportions
    assert made[0].head == {"Content-Type": f"image/{kind}"}
    assert notes == ()


def test_pixels_are_a_tensor_behind_its_description() -> None:
    made, _ = bodies(target(batch=3), MODEL, seed=0)
    for body in made:
        length = int(body.head["Inference-Header-Content-Length"])
        document = json.loads(body.data[:length])
        (tensor,) = document["inputs"]
        assert (tensor["name"], tensor["datatype"]) == ("data", "UINT8")
        assert tensor["shape"] == [3, 32, 32, 3]
        assert tensor["parameters"] == {"binary_data_size": len(body.data) - length}
        assert document["outputs"] == [{"name": "scores", "parameters": {"binary_data": True}}]
        pixels = np.frombuffer(body.data, np.uint8, offset=length).reshape(tensor["shape"])
        assert (pixels.std(axis=(1, 2)) > 5).all()  # pictures, not a colour


def test_files_in_a_tensor_have_their_lengths_before_them() -> None:
    (body, *_), _ = bodies(target("png", batch=2), MODEL, seed=0)
    raw = body.data[int(body.head["Inference-Header-Content-Length"]) :]
    first = int.from_bytes(raw[:4], "little")
    second = int.from_bytes(raw[4 + first : 8 + first], "little")
    assert len(raw) == 8 + first + second
    for start, length in ((4, first), (8 + first, second)):
        assert Image.open(BytesIO(raw[start : start + length])).size


def test_seed_decides_the_bodies_and_no_two_are_the_same() -> None:
    made = [body.data for body in bodies(target(batch=64), MODEL, seed=1)[0]]
    assert len(set(made)) == len(made) >= 2
    assert made == [body.data for body in bodies(target(batch=64), MODEL, seed=1)[0]]
    assert made != [body.data for body in bodies(target(batch=64), MODEL, seed=2)[0]]


def test_large_bodies_are_few() -> None:
    large = Model("m", size=224, classes=5)
    made, _ = bodies(target(batch=64), large, seed=0)
    assert 2 <= len(made) <= 3
    assert sum(len(body.data) for body in made) < 64 << 20


def test_without_photographs_generated_pictures_are_taken_and_said_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loadtest.bodies, "available", tuple)
    made, notes = bodies(target(), MODEL, seed=0)
    assert len({body.data for body in made}) == len(made) == 8
    assert "no photographs" in notes[0]


def test_message_is_a_request_with_what_the_target_says() -> None:
    asked = target(api_key="secret", headers=(("X-Request-Timeout", "0.5"),))
    (body, *_), _ = bodies(asked, MODEL, seed=0)
    head, _, sent = message(asked, body).partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first == "POST /base/v2/models/a%20b/infer HTTP/1.1"
    headers = dict(line.split(": ", 1) for line in lines)
    assert headers["Host"] == "127.0.0.1:81"
    assert headers["Authorization"] == "Bearer secret"
    assert headers["X-Request-Timeout"] == "0.5"
    assert int(headers["Content-Length"]) == len(sent) == len(body.data)
    assert "secret" not in repr(asked)


def test_paths_of_v1_name_the_models() -> None:
    assert path(Target("http://h", "a&b", "v1", "png")) == "/v1/classify?model=a%26b"
    assert path(Target("http://h", "a,b", "compare", "png")) == "/v1/compare?models=a%2Cb"
