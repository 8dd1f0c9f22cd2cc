"""What requests carry: photographs as files of a size, or as pixels, and whole messages of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from loadtest.service import Model
from loadtest.target import Target
from measuring.photographs import available, encoded, photograph
from measuring.pictures import varied_pictures

Pixels = NDArray[np.uint8]
QUALITY = 85
_PAINTED = "no photographs: scikit-image and scikit-learn are not installed; pictures are generated"
_ENOUGH = 32 << 20
"""Bytes of all messages of a target, from which on there are fewer different ones."""
_DIFFERENT = 8


def pictures(count: int, seed: int) -> tuple[list[Image.Image], tuple[str, ...]]:
    """So many different ones, and what a reader should know of them: photographs, each second
    round mirrored and cropped, or generated pictures where there are none."""
    names = available()
    if not names:
        generated = varied_pictures(count, 512, seed)
        return [Image.fromarray(picture) for picture in generated], (_PAINTED,)
    rng = np.random.Generator(np.random.PCG64(seed))
    order = rng.permutation(len(names))
    found = []
    for index in range(count):
        picture = photograph(names[int(order[index % len(names)])])
        found.append(picture if index < len(names) else _varied(picture, rng))
    return found, ()


def _varied(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    share = float(rng.uniform(0.6, 0.95))
    width, height = int(picture.width * share), int(picture.height * share)
    left = int(rng.integers(0, picture.width - width + 1))
    top = int(rng.integers(0, picture.height - height + 1))
    cropped = picture.crop((left, top, left + width, top + height))
    return cropped.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else cropped


def files(images: Sequence[Image.Image], kind: str, side: int) -> list[bytes]:
    """As JPEG or PNG files whose shorter side is `side`."""
    found = []
    for image in images:
        scale = side / min(image.size)
        size = (max(side, round(image.width * scale)), max(side, round(image.height * scale)))
        resized = image.resize(size, Image.Resampling.BICUBIC)
        options = {"quality": QUALITY} if kind == "jpeg" else {"compress_level": 3}
        found.append(encoded(resized, kind.upper(), **options))
    return found


def pixels(images: Sequence[Image.Image], size: int) -> Pixels:
    """(N, size, size, 3): the largest square in the middle of each."""
    found = np.empty((len(images), size, size, 3), np.uint8)
    for index, image in enumerate(images):
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        box = (left, top, left + side, top + side)
        resized = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
        found[index] = np.asarray(resized)
    return found


@dataclass(frozen=True)
class Body:
    """`head`: headers that belong to it."""

    data: bytes
    head: Mapping[str, str]


def bodies(target: Target, model: Model, *, seed: int) -> tuple[list[Body], tuple[str, ...]]:
    """Of one target, each another, as many as memory bears; and what a reader should know."""
    one = model.size * model.size * 3 if target.body == "pixels" else 4 * target.side**2
    count = max(2, min(_DIFFERENT, _ENOUGH // (one * target.batch)))
    images, notes = pictures(min(2 * _DIFFERENT, count * target.batch), seed)
    parts = (
        [picture.tobytes() for picture in pixels(images, model.size)]
        if target.body == "pixels"
        else files(images, target.body, target.side)
    )
    taken = [
        [parts[(first + index) % len(parts)] for index in range(target.batch)]
        for first in range(count)
    ]
    return [_body_of(target, model, each) for each in taken], notes


def _body_of(target: Target, model: Model, parts: Sequence[bytes]) -> Body:
    """The body of one request from its pictures: files, or pixels of the model's size."""
    if target.protocol != "v2":
        return Body(parts[0], {"Content-Type": f"image/{target.body}"})
    if target.body == "pixels":
        shape, kind, raw = [len(parts), model.size, model.size, 3], "UINT8", b"".join(parts)
    else:
        shape, kind = [len(parts)], "BYTES"
        raw = b"".join(len(part).to_bytes(4, "little") + part for part in parts)
    name = model.input if target.body == "pixels" else "image"
    tensor = {
        "name": name, "datatype": kind, "shape": shape,
        "parameters": {"binary_data_size": len(raw)},
    }  # fmt: skip
    asked = {"name": model.output, "parameters": {"binary_data": True}}
    document = json.dumps({"inputs": [tensor], "outputs": [asked]}, separators=(",", ":")).encode()
    head = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(document)),
    }
    return Body(document + raw, head)


def path(target: Target) -> str:
    """Of the address that is asked, with its query."""
    if target.protocol == "v2":
        return f"{target.base}/v2/models/{quote(target.model, safe='')}/infer"
    name, query = ("classify", "model") if target.protocol == "v1" else ("compare", "models")
    return f"{target.base}/v1/{name}?{urlencode({query: target.model})}"


def authorization(api_key: str | None) -> dict[str, str]:
    """The header of a key, where there is one."""
    return {} if api_key is None else {"Authorization": f"Bearer {api_key}"}


def message(target: Target, body: Body) -> bytes:
    """A whole HTTP request."""
    host, port = target.address
    headers = {
        "Host": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "User-Agent": "stride-loadtest",
        **authorization(target.api_key),
        **dict(target.headers),
        **body.head,
    }
    return posted(path(target), headers, body.data)


def posted(path: str, headers: Mapping[str, str], data: bytes) -> bytes:
    """A whole HTTP request; its length is told in it."""
    told = {**headers, "Content-Length": str(len(data))}
    lines = [f"POST {path} HTTP/1.1", *(f"{key}: {value}" for key, value in told.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + data


def parted(message: bytes) -> tuple[str, dict[str, str], bytes]:
    """Path, headers and body of a request, for clients that write host and length themselves."""
    head, _, data = message.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    own = ("Host", "Content-Length")
    return first.split(" ")[1], {key: headers[key] for key in headers if key not in own}, data
