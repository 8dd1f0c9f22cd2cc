"""A real network over HTTP: 64 clients at once get what one client gets, picture by picture."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from exporters.export import export
from exporters.source import Source
from measuring.pictures import varied_pictures
from models import load
from tests.service.client import Client, encode
from tests.service.process import ServiceProcess

PICTURES = 64
CLIENTS = 64
NETWORK = "shufflenet_v2_x0_5"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    repository = tmp_path_factory.mktemp("artifacts")
    export(
        Source(load(NETWORK, "untrained"), NETWORK),
        artifact_name=NETWORK,
        format="onnx",
        precision="fp32",
        repository=repository,
    )
    service = ServiceProcess(
        repository, "--model", f"{NETWORK}-onnx-fp32:instances=2,threads=1,max_batch=8",
        "--drain-delay", "0",
    ).wait_until_ready()  # fmt: skip
    yield service.client
    assert service.stop() == 0, service.text


def images() -> list[bytes]:
    kinds = ("PNG", "JPEG", "WEBP")
    pixels = varied_pictures(PICTURES, 256, seed=77)
    return [encode(picture, kinds[index % 3]) for index, picture in enumerate(pixels)]


def test_64_clients_get_the_answers_that_one_client_gets(client: Client) -> None:
    data = images()
    alone = [client.post("/v1/classify", image).json["predictions"] for image in data]
    assert len({predictions[0]["index"] for predictions in alone}) >= 16

    def ask(number: int) -> None:
        for turn in range(4):
            index = (number * 7 + turn * 19) % PICTURES
            reply = client.post("/v1/classify", data[index])
            assert reply.status == 200, reply.data
            together = reply.json["predictions"]
            assert [p["index"] for p in together] == [p["index"] for p in alone[index]]
            for mine, theirs in zip(together, alone[index], strict=True):
                assert mine["probability"] == pytest.approx(theirs["probability"], abs=1e-5)

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(ask, range(CLIENTS)))

    text = client.get("/metrics").data.decode()
    batched = next(line for line in text.splitlines() if line.startswith("stride_batch_size_count"))
    assert float(batched.rpartition(" ")[2]) < PICTURES + 4 * CLIENTS  # some shared an engine call


def test_untrained_weights_are_marked(client: Client, tmp_path: Path) -> None:
    assert client.post("/v1/classify", images()[0]).json["trained"] is False
    assert client.get("/v1/models").json["models"][0]["manifest"]["weights"]["trained"] is False
