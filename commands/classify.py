"""`stride classify`: pictures from disk, answered by an artifact here or by a running service."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import click

from commands import options
from measuring.errors import InputError, MissingError, StrideError

if TYPE_CHECKING:
    from inference.artifact import Artifact
    from inference.engine import Pixels
    from measuring.input_spec import InputSpec

Answer = dict[str, Any]
Classify = Callable[[bytes], Answer]
KEY = "STRIDE_API_KEY"
"""An option would show it to whoever lists the processes."""


@click.command(short_help="Classify pictures, here or through a service.")
@click.argument(
    "images",
    metavar="IMAGE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
)
@click.option(
    "--url",
    help="Ask a running service, e.g. http://localhost:8000, with the key in STRIDE_API_KEY "
    "where it asks for one; without it the artifact is opened here.",
)
@click.option("--model", help="Id (or alias, with --url); may be left out when there is only one.")
@click.option(
    "-k", "k", type=click.IntRange(1), show_default="5, or all where there are fewer",
    help="Classes to show.",
)  # fmt: skip
@click.option(
    "--exact-decoding",
    is_flag=True,
    help="Decode at full size and resize exactly as the weights were evaluated; slower. "
    "A service has an option of its own for it.",
)
@options.repository
@options.as_json
def command(
    images: tuple[Path, ...], url: str | None, model: str | None, k: int | None, repository: Path,
    as_json: bool, exact_decoding: bool,
) -> int:  # fmt: skip
    """Classify pictures (JPEG, PNG or WebP).

    A picture that cannot be read leaves its error in its place and the others go on; the exit
    code is then 2.
    """
    from commands.output import print_json, print_table

    if url and exact_decoding:
        raise InputError(
            "--exact-decoding is for pictures decoded here; with --url the service decodes, "
            "start it with `stride serve --exact-decoding`"
        )
    classify = _over_http(url, model, k) if url else _here(repository, model, k, exact_decoding)
    answers = [_answer(path, classify) for path in images]
    if as_json:
        print_json({"images": answers})
    else:
        columns = ("image", "model", "label", ">probability", ">inference ms")
        read = [answer for answer in answers if "error" not in answer]
        if read:
            print_table(columns, [row for answer in read for row in _rows(answer)])
        for answer in (answer for answer in answers if "error" in answer):
            click.echo(f"error: {answer['image']}: {answer['error']}", err=True)
        if any(not answer.get("trained", True) for answer in answers):
            click.echo("The weights are not trained: the labels mean nothing.", err=True)
    return 2 if any("error" in answer for answer in answers) else 0


def _answer(path: Path, classify: Classify) -> Answer:
    try:
        return {"image": str(path)} | classify(path.read_bytes())
    except OSError as error:
        return {"image": str(path), "error": f"cannot be read: {error.strerror}"}
    except MissingError:
        raise
    except StrideError as error:
        return {"image": str(path), "error": str(error)}


def _rows(answer: Answer) -> list[tuple[str, ...]]:
    head = (answer["image"], answer["model"])
    milliseconds = f"{answer['timings']['inference'] * 1e3:.2f}"
    return [
        (*(head if first else ("", "")), prediction["label"], f"{prediction['probability']:.2%}",
         milliseconds if first else "")
        for prediction in answer["predictions"]
        for first in (prediction is answer["predictions"][0],)
    ]  # fmt: skip


def _over_http(url: str, model: str | None, k: int | None) -> Classify:
    import urllib3

    url = _service(url)
    pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=60), retries=False)
    fields = {name: value for name, value in (("k", k), ("model", model)) if value}
    address = f"{url}/v1/classify?{urlencode(fields)}"
    headers = _key_header(os.environ.get(KEY, ""))

    def classify(data: bytes) -> Answer:
        try:
            response = pool.request("POST", address, body=data, headers=headers)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise MissingError(
                f"no answer from {url}: {error}; start one with `stride serve`, or correct --url"
            ) from error
        return _read(url, response.status, response.data)

    return classify


def _key_header(api_key: str) -> dict[str, str]:
    if not api_key:
        return {}
    if not (api_key.isascii() and api_key.isprintable()):
        raise InputError(f"{KEY} has characters that no key has; expected printable ASCII")
    return {"Authorization": f"Bearer {api_key}"}


def _service(url: str) -> str:
    """`http://` may be left out; raises InputError for more than the address of a service."""
    full = url if "://" in url else f"http://{url}"
    parts = urlsplit(full)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
        raise InputError(
            f"--url {url!r}: expected the address of a service and no path, "
            "e.g. http://localhost:8000"
        )
    return f"{parts.scheme}://{parts.netloc}"


def _read(url: str, status: int, data: bytes) -> Answer:
    """The service's answer. Raises InputError with the reason it gives for refusing the picture,
    and MissingError for what no `stride serve` says."""
    from pydantic import ValidationError

    from service.answers import ClassifyAnswer, ErrorAnswer

    try:
        if status != 200:
            where = f"; {KEY} is where a key is taken from here" if status == 401 else ""
            raise InputError(f"HTTP {status}: {ErrorAnswer.model_validate_json(data).error}{where}")
        answer = ClassifyAnswer.model_validate_json(data)
        if not answer.predictions or "inference" not in answer.timings:
            raise _stranger(url, status, data, "no prediction or no timing in it")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise _stranger(url, status, data, f"{where}: {first['msg']}") from error
    return answer.model_dump()


def _stranger(url: str, status: int, data: bytes, reason: str) -> MissingError:
    start = data[:60].decode(errors="replace")
    return MissingError(
        f"{url} answered, but not as a stride service does: HTTP {status}, {reason}; it began with "
        f"{start!r}; expected the address of a `stride serve`, correct --url"
    )


def _here(repository: Path, model: str | None, k: int | None, exact: bool) -> Classify:
    """Answers as a service does that was started with the same `--exact-decoding`."""
    from dataclasses import asdict

    from inference.classification import DEFAULT_K, top_k
    from inference.open_engine import open_engine

    artifact = _choose(repository, model)
    engine = open_engine(artifact)
    manifest = artifact.manifest
    read = _exactly if exact else _fast
    shown = min(DEFAULT_K, len(manifest.labels)) if k is None else k

    def classify(data: bytes) -> Answer:
        pixels = read(data, manifest.input)
        started = time.perf_counter()
        logits = engine.infer(pixels[None])
        seconds = time.perf_counter() - started
        predictions = top_k(logits[0], shown, manifest.labels)
        return {
            "model": manifest.id,
            "trained": manifest.weights.trained,
            "predictions": [asdict(prediction) for prediction in predictions],
            "timings": {"inference": seconds},
        }

    return classify


def _fast(data: bytes, spec: "InputSpec") -> "Pixels":
    from inference.decode import read_picture
    from inference.resample import resample, shortest_side
    from service.settings import Limits

    shortest = shortest_side([spec])
    return resample(read_picture(data, max_pixels=Limits().pixels, shortest=shortest), spec)


def _exactly(data: bytes, spec: "InputSpec") -> "Pixels":
    from inference.decode import decode
    from inference.preprocess import preprocess
    from service.settings import Limits

    return preprocess(decode(data, max_pixels=Limits().pixels), spec)


def _choose(repository: Path, model: str | None) -> "Artifact":
    from service.loading import choose
    from service.settings import ModelSpec

    try:
        chosen = choose(repository, [ModelSpec(model)] if model else ())
    except OSError as error:
        raise InputError(
            f"{model or 'the artifact'} cannot be looked for in {repository}: {error.strerror}; "
            "choose another folder with --repository"
        ) from error
    if len(chosen) == 1:
        return chosen[0].artifact
    ids = ", ".join(entry.artifact.manifest.id for entry in chosen)
    raise InputError(f"{repository} holds {len(chosen)} artifacts, say which with --model: {ids}")
