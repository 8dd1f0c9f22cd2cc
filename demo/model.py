"""What the service says about a model that it serves."""

import json
from dataclasses import dataclass
from urllib.parse import quote

import urllib3

from measuring.errors import CheckError


@dataclass(frozen=True)
class Model:
    """`size`: bytes of the files that are run; `published_top1` in [0, 1], where it is known."""

    id: str
    network: str
    trained: bool
    published_top1: float | None
    size: int
    runtime: str


def read_model(url: str, model: str) -> Model:
    """From `GET /v1/models/{id}`. Raises CheckError for anything but a description."""
    address = f"{url}/v1/models/{quote(model)}"
    try:
        response = urllib3.request("GET", address, timeout=10.0, retries=False)
        description = json.loads(response.data)
        manifest = description["manifest"]
        files = {variant["file"] for variant in manifest["variants"]}  # several may run one
        weights = manifest["weights"]
        return Model(
            id=model,
            network=manifest["network"],
            trained=weights["trained"],
            published_top1=weights["published_top1"],
            size=sum(manifest["files"][file]["size"] for file in files),
            runtime=description["runtime"],
        )
    except urllib3.exceptions.HTTPError as error:
        raise CheckError(f"no answer from {address}: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CheckError(
            f"{address} answered HTTP {response.status} with {response.data[:80]!r}, "
            f"expected the description of {model}"
        ) from error
