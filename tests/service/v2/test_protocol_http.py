"""/v2 on the wire: forms that hardly any client sends, refusals, and the marks of every answer."""

import gzip
import json
import threading
from typing import Any

import numpy as np
import orjson
import pytest

from tests.service.client import Client, Reply, encode, png, png_header
from tests.service.process import ServiceProcess
from tests.service.v2.wire import (
    ADMIN,
    ID,
    INFER,
    OTHER,
    binary_tensor,
    elements,
    logits,
    pictures,
    tensor,
    whole_body,
)

PIXELS = pictures(2)
EXPECTED = logits(PIXELS)
LENGTH = "Inference-Header-Content-Length"
RAW = {"Inference_Header_Content_Length": "0"}


@pytest.fixture
def client(service: ServiceProcess) -> Client:
    return service.client


def infer(client: Client, document: Any, *raw: bytes, **headers: str) -> Reply:
    body, length = whole_body(document, *raw)
    return client.post(INFER, body, Inference_Header_Content_Length=str(length), **headers)


def found(reply: Reply) -> np.ndarray[Any, Any]:
    """The logits of an answer, wherever they stand in it."""
    assert reply.status == 200, reply.data
    if LENGTH not in reply.headers:
        (output,) = reply.json["outputs"]
        return np.array(output["data"]).reshape(output["shape"])
    assert reply.headers["content-type"] == "application/octet-stream"
    length = int(reply.headers[LENGTH])
    (output,) = json.loads(reply.data[:length])["outputs"]
    assert output["parameters"]["binary_data_size"] == len(reply.data) - length
    return np.frombuffer(reply.data, "<f4", offset=length).reshape(output["shape"])


def test_raw_body_is_one_pictures_pixels_or_one_file(client: Client) -> None:
    for body in (PIXELS[:1].tobytes(), encode(PIXELS[0])):
        reply = client.post(f"/v2/models/{ID}/versions/1/infer", body, **RAW)
        np.testing.assert_allclose(found(reply), EXPECTED[:1], atol=1e-3)


def test_json_without_any_header_of_ours(client: Client) -> None:
    """As curl -d sends it, and as KServe's clients do."""
    document = {"inputs": [tensor(PIXELS, data=PIXELS.tolist())]}
    reply = client.post(INFER, orjson.dumps(document))
    assert reply.headers["content-type"] == "application/json"
    assert "parameters" not in reply.json["outputs"][0]
    np.testing.assert_allclose(found(reply), EXPECTED, atol=1e-3)


def test_id_is_echoed_only_where_it_is_given(client: Client) -> None:
    document: dict[str, Any] = {"inputs": [binary_tensor(PIXELS)]}
    assert "id" not in infer(client, document | {"id": ""}, PIXELS.tobytes()).json
    assert infer(client, document | {"id": "7"}, PIXELS.tobytes()).json["id"] == "7"


def test_an_answer_tells_its_stages_and_its_id(client: Client) -> None:
    document = {"inputs": [binary_tensor(PIXELS)]}
    reply = infer(client, document, PIXELS.tobytes(), X_Request_Id="mine", X_Request_Timeout="5")

    assert reply.headers["x-request-id"] == "mine"
    stages = [part.split(";")[0] for part in reply.headers["server-timing"].split(", ")]
    assert stages == ["receive", "queue", "inference", "respond", "total"]
    files = (png(1), png(2))
    image: dict[str, Any] = {"name": "image", "datatype": "BYTES", "shape": [2]}
    raw = elements(*files)
    image["parameters"] = {"binary_data_size": len(raw)}
    timing = infer(client, {"inputs": [image]}, raw).headers["server-timing"]
    assert [part.split(";")[0] for part in timing.split(", ")] == [
        "receive", "decode", "resize", "queue", "inference", "respond", "total",
    ]  # fmt: skip


def test_requests_count_under_their_own_protocol(client: Client) -> None:
    def count(outcome: str) -> float:
        text = client.get("/metrics").data.decode()
        start = f'stride_request_seconds_count{{model="{OTHER}",outcome="{outcome}",protocol="v2"}}'
        lines = [line for line in text.splitlines() if line.startswith(start)]
        return float(lines[0].split()[-1]) if lines else 0.0

    before = count("ok"), count("invalid"), count("expired")
    path = f"/v2/models/{OTHER}/infer"
    assert client.post(path, PIXELS[:1].tobytes(), **RAW).status == 200
    assert client.post(path, b"short", **RAW).status == 400
    late = client.post(path, PIXELS[:1].tobytes(), X_Request_Timeout="0.000001", **RAW)
    assert late.status == 503
    assert "Request timeout expired" in late.error
    assert "retry-after" in late.headers
    assert (count("ok"), count("invalid"), count("expired")) == tuple(n + 1 for n in before)


@pytest.mark.parametrize(
    ("body", "headers", "status", "message"),
    [
        (b"", {}, 400, "the body is empty"),
        (b"[]", {}, 400, "must be a JSON object"),
        (b"{", {}, 400, "failed to parse the request JSON buffer"),
        (b"{}", {"Inference_Header_Content_Length": "3"}, 400, "in range (0, 2), got: 3"),
        (b"{}", {"Inference_Header_Content_Length": "-1"}, 400, "in range (0, 2), got: '-1'"),
        (b"{}", {"Inference_Header_Content_Length": "9" * 30}, 400, "in range"),
        (b"x" * 1000001, {}, 400, "raise --max-body-bytes"),
        (gzip.compress(bytes(30_000_000)), {"Content_Encoding": "gzip"}, 400, "1000000"),
        (b"{}", {"Content_Encoding": "br"}, 415, "Content-Encoding"),
        (b"{}", {"Content_Encoding": "gzip"}, 400, "gzip"),
        (png_header(60000, 60000), RAW, 400, "pixels"),
        (png()[:60], RAW, 400, "image 1 of 1"),
        (b"{}", {"X_Request_Timeout": "soon"}, 400, "expected seconds"),
        (b'{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[1,16,16,3],"data":[NaN]}]}',
         {}, 400, "failed to parse"),
        (b'{"inputs":[{"name":"pixels","parameters":{"shared_memory_region":"r"},'
         b'"datatype":"UINT8","shape":[1,16,16,3]}]}', {}, 501, "not offered"),
    ],
)  # fmt: skip
def test_refusals_have_tritons_statuses(
    client: Client, body: bytes, headers: dict[str, str], status: int, message: str
) -> None:
    reply = client.post(INFER, body, **headers)
    assert reply.status == status, reply.data
    assert message in reply.error


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", INFER, 405),
        ("PUT", INFER, 405),
        ("POST", "/v2", 405),
        ("GET", "/v2/repository/index", 405),
        ("GET", "/v2/models", 404),
        ("GET", "/v2/nothing", 404),
        ("POST", "/v2/models/nobody/infer", 404),
        ("POST", f"/v2/models/{ID}/versions/2/infer", 404),
        ("GET", "/v2/trace/setting", 501),
        ("POST", "/v2/systemsharedmemory/region/x/register", 501),
    ],
)
def test_other_methods_and_addresses(client: Client, method: str, path: str, status: int) -> None:
    reply = client.request(method, path, b"{}" if method == "POST" else None, {})
    assert reply.status == status
    assert reply.error


def test_a_damaged_picture_among_others_is_named(client: Client) -> None:
    raw = elements(png(), png()[:60])
    image = {"name": "image", "datatype": "BYTES", "shape": [2],
             "parameters": {"binary_data_size": len(raw)}}  # fmt: skip
    reply = infer(client, {"inputs": [image]}, raw)
    assert reply.status == 400
    assert "image 2 of 2" in reply.error


def test_probes_and_both_spellings_of_the_root(client: Client) -> None:
    assert client.get("/v2").json == client.get("/v2/").json
    assert client.get("/v2/health/live").json == {"live": True}
    assert client.get("/v2/health/ready").json == {"ready": True}
    for path in ("/v2/health/live", "/v2/health/ready"):
        assert client.request("HEAD", path, None, {}).status == 200


def test_index_of_what_is_ready(client: Client) -> None:
    index = client.post("/v2/repository/index", b'{"ready":true}').json
    assert [entry["name"] for entry in index] == [OTHER, ID]
    assert client.post("/v2/repository/index", b'{"ready":1}').status == 400
    assert client.post("/v2/repository/index", b"[]").status == 400
    long = client.post("/v2/repository/index", b" " * 70000)
    assert long.status == 400
    assert "at most 65536" in long.error


def test_loading_what_is_not_there_is_404(client: Client) -> None:
    for action in ("load", "unload"):
        reply = client.post(
            f"/v2/repository/models/nobody/{action}", b"{}", Authorization=f"Bearer {ADMIN}"
        )
        assert reply.status == 404, reply.data


def test_switching_a_model_over_is_not_noticed_by_requests(client: Client) -> None:
    """Load it again and again while it is asked: no request fails."""
    ended = threading.Event()
    replies: list[Reply] = []

    def ask() -> None:
        while not ended.is_set():
            replies.append(client.post(INFER, PIXELS[:1].tobytes(), **RAW))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        path = f"/v2/repository/models/{ID}/load"
        assert client.post(path, b"", Authorization=f"Bearer {ADMIN}").status == 200
    ended.set()
    for thread in threads:
        thread.join()
    assert len(replies) > 20
    for reply in replies:
        np.testing.assert_allclose(found(reply), EXPECTED[:1], atol=1e-3)


@pytest.fixture(scope="module")
def openapi(service: ServiceProcess) -> Any:
    return service.client.get("/openapi.json").json


def test_openapi_has_every_address_with_all_of_its_parameters(openapi: Any) -> None:
    paths = {path: entry for path, entry in openapi["paths"].items() if path.startswith("/v2")}
    model = ("", "/ready", "/config", "/stats", "/infer")
    assert set(paths) == {
        "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/stats", "/v2/repository/index",
        *(f"/v2/repository/models/{{model}}/{action}" for action in ("load", "unload")),
        *(f"/v2/models/{{model}}{part}" for part in model),
        *(f"/v2/models/{{model}}/versions/{{version}}{part}" for part in model),
    }  # fmt: skip
    for path, entry in paths.items():
        for operation in entry.values():
            named = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert named == {part.strip("{}") for part in path.split("/") if part.startswith("{")}
            assert operation["description"]
    post = paths["/v2/models/{model}/infer"]["post"]
    assert set(post["requestBody"]["content"]) == {"application/json", "application/octet-stream"}
    assert set(post["responses"]) >= {"200", "400", "404", "415", "500", "501", "503"}
    headers = {p["name"] for p in post["parameters"] if p["in"] == "header"}
    assert {LENGTH, "Content-Encoding", "X-Request-Timeout", "X-Request-Id"} <= headers
