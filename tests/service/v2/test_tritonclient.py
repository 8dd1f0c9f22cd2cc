"""NVIDIA's own client, as it comes from the index, against a service as users start it."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from gevent.monkey import is_module_patched
from tritonclient.utils import InferenceServerException

from tests.service.client import png
from tests.service.process import ServiceProcess
from tests.service.v2.wire import ADMIN, ID, OTHER, logits, pictures

PIXELS = pictures(3)
EXPECTED = logits(PIXELS)
TOKEN = {"Authorization": f"Bearer {ADMIN}"}
NOT_OFFERED: list[Any] = [
    pytest.param(lambda c: c.get_trace_settings(), id="trace"),
    pytest.param(lambda c: c.get_trace_settings(ID), id="trace-of-a-model"),
    pytest.param(lambda c: c.update_trace_settings(settings={"trace_rate": "1"}), id="set-trace"),
    pytest.param(lambda c: c.get_log_settings(), id="logging"),
    pytest.param(lambda c: c.get_system_shared_memory_status(), id="system-memory"),
    pytest.param(lambda c: c.unregister_system_shared_memory(), id="unregister-system-memory"),
    pytest.param(lambda c: c.register_system_shared_memory("r", "/k", 64), id="register"),
    pytest.param(lambda c: c.get_cuda_shared_memory_status(), id="cuda-memory"),
    pytest.param(lambda c: c.unregister_cuda_shared_memory("r"), id="unregister-cuda-memory"),
]


def test_the_client_leaves_this_process_as_it_was() -> None:
    """It brings gevent along, which can put its own sockets and threads in Python's place."""
    assert not any(map(is_module_patched, ("socket", "threading", "select", "time", "ssl")))


@pytest.fixture
def client(service: ServiceProcess) -> Iterator[Any]:
    with triton.InferenceServerClient(service.url.removeprefix("http://")) as made:
        yield made


def pixels_input(pixels: Any = PIXELS, *, binary: bool = True) -> Any:
    made = triton.InferInput("pixels", list(pixels.shape), "UINT8")
    return made.set_data_from_numpy(pixels, binary_data=binary)


def image_input(*files: bytes, binary: bool = True) -> Any:
    made = triton.InferInput("image", [len(files)], "BYTES")
    values = files if binary else tuple(base64.b64encode(file) for file in files)
    return made.set_data_from_numpy(np.array(values, np.object_), binary_data=binary)


def test_the_service_says_who_it_is_and_how_it_is(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    metadata = client.get_server_metadata()
    assert metadata["name"] == "stride"
    assert {"statistics", "binary_tensor_data", "classification"} <= set(metadata["extensions"])


@pytest.mark.parametrize("name", [ID, "small", "tiny"])
@pytest.mark.parametrize("version", ["", "1"])
def test_a_model_says_what_it_takes_by_id_and_alias(client: Any, name: str, version: str) -> None:
    assert client.is_model_ready(name, version)
    assert client.get_model_metadata(name, version) == {
        "name": ID, "versions": ["1"], "platform": "onnxruntime_onnx",
        "inputs": [{"name": "pixels", "datatype": "UINT8", "shape": [-1, 16, 16, 3]}],
        "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, 32]}],
    }  # fmt: skip
    config = client.get_model_config(name, version)
    assert config["name"] == ID
    assert config["max_batch_size"] == 256
    assert config["input"][0]["dims"] == [16, 16, 3]
    assert config["input"][0]["format"] == "FORMAT_NHWC"
    assert config["output"] == [
        {"name": "logits", "data_type": "TYPE_FP32", "dims": [32], "label_filename": "",
         "is_shape_tensor": False}
    ]  # fmt: skip
    assert config["instance_group"][0]["count"] == 2
    assert config["dynamic_batching"]["priority_levels"] == 2


@pytest.mark.parametrize("binary_input", [True, False])
@pytest.mark.parametrize("output", [None, True, False])
@pytest.mark.parametrize("version", ["", "1"])
def test_inference_in_every_form_gives_the_same_logits(
    client: Any, binary_input: bool, output: bool | None, version: str
) -> None:
    outputs = output is not None and [triton.InferRequestedOutput("logits", binary_data=output)]

    result = client.infer(
        ID, [pixels_input(binary=binary_input)], version, outputs=outputs or None, request_id="41"
    )

    np.testing.assert_allclose(result.as_numpy("logits"), EXPECTED, atol=1e-3)
    response = result.get_response()
    assert response["id"] == "41"
    assert (response["model_name"], response["model_version"]) == (ID, "1")


@pytest.mark.parametrize("binary", [True, False])
def test_pictures_come_as_bytes(client: Any, binary: bool) -> None:
    files = (png(1), png(2), png(3))
    expected = np.concatenate([logits(pictures(1, seed)) for seed in (1, 2, 3)])

    result = client.infer(ID, [image_input(*files, binary=binary)])

    np.testing.assert_allclose(result.as_numpy("logits"), expected, atol=1e-3)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_requests(client: Any, algorithm: str) -> None:
    result = client.infer(ID, [pixels_input()], request_compression_algorithm=algorithm)
    np.testing.assert_allclose(result.as_numpy("logits"), EXPECTED, atol=1e-3)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_an_answer_may_be_left_uncompressed(client: Any, algorithm: str) -> None:
    result = client.infer(ID, [pixels_input()], response_compression_algorithm=algorithm)
    np.testing.assert_allclose(result.as_numpy("logits"), EXPECTED, atol=1e-3)


@pytest.mark.parametrize("binary", [True, False])
def test_classification_as_image_client_reads_it(client: Any, binary: bool) -> None:
    """What NVIDIA's example image_client.py does: read the layout from the configuration, ask for
    classes, split what comes at the colons."""
    config = client.get_model_config("tiny")
    (given,), (wanted,) = config["input"], config["output"]
    assert given["format"] in {"FORMAT_NCHW", "FORMAT_NHWC"}
    height, width, channels = given["dims"]
    assert (len(wanted["dims"]), channels, config["max_batch_size"] > 0) == (1, 3, True)
    pixels = PIXELS.reshape(-1, height, width, channels)

    requested = triton.InferRequestedOutput(wanted["name"], binary_data=binary, class_count=4)
    result = client.infer("tiny", [pixels_input(pixels)], outputs=[requested])

    rows = result.as_numpy(wanted["name"])
    assert rows.shape == (3, 4)
    for row, expected in zip(rows, EXPECTED, strict=True):
        parts = [(t.decode() if isinstance(t, bytes) else t).split(":") for t in row]
        assert [int(index) for _, index, _ in parts] == np.argsort(-expected)[:4].tolist()
        assert all(label == f"class {index}" for _, index, label in parts)
        values = [float(value) for value, _, _ in parts]
        np.testing.assert_allclose(values, np.sort(expected)[::-1][:4], atol=1e-3)


def test_asynchronous_requests_of_the_synchronous_client(service: ServiceProcess) -> None:
    url = service.url.removeprefix("http://")
    with triton.InferenceServerClient(url, concurrency=4) as client:
        waiting = [client.async_infer(ID, [pixels_input()]) for _ in range(12)]
        for each in waiting:
            logits_found = each.get_result().as_numpy("logits")
            np.testing.assert_allclose(logits_found, EXPECTED, atol=1e-3)


def test_priority_timeout_and_parameters_of_ones_own(client: Any) -> None:
    result = client.infer(
        ID, [pixels_input()], priority=2, timeout=5_000_000, parameters={"trace": "abc"}
    )
    np.testing.assert_allclose(result.as_numpy("logits"), EXPECTED, atol=1e-3)
    with pytest.raises(InferenceServerException, match="Request timeout expired") as caught:
        client.infer(ID, [pixels_input()], timeout=1)
    assert caught.value.status() == "503"


def test_statistics_count_images_and_requests(client: Any) -> None:
    (before,) = client.get_inference_statistics(ID)["model_stats"]
    for count in (1, 3, 3):
        client.infer(ID, [pixels_input(PIXELS[:count])])
    (after,) = client.get_inference_statistics("tiny", "1")["model_stats"]

    def grown(*path: str) -> int:
        old, new = before, after
        for key in path:
            old, new = old[key], new[key]
        return int(new) - int(old)

    assert grown("inference_count") == 7
    assert grown("execution_count") == 3
    for part in ("success", "queue", "compute_input", "compute_infer", "compute_output"):
        assert grown("inference_stats", part, "count") == 3
    assert grown("inference_stats", "compute_infer", "ns") > 0
    assert after["version"] == "1"
    sizes = {entry["batch_size"]: entry for entry in after["batch_stats"]}
    assert sizes[3]["compute_infer"]["count"] >= 2
    everything = client.get_inference_statistics()["model_stats"]
    assert [entry["name"] for entry in everything] == [ID, OTHER]


def test_models_are_unloaded_loaded_and_loaded_again(client: Any) -> None:
    def states() -> dict[str, str]:
        return {e["name"]: e["state"] for e in client.get_model_repository_index()}

    assert states() == {ID: "READY", OTHER: "READY"}
    client.unload_model("other", headers=TOKEN)
    assert states() == {ID: "READY", OTHER: "UNAVAILABLE"}
    assert not client.is_model_ready(OTHER)
    client.load_model("other", headers=TOKEN)
    client.load_model("other", headers=TOKEN)
    client.unload_model("other", headers=TOKEN, unload_dependents=True)
    client.load_model(OTHER, headers=TOKEN)
    assert states() == {ID: "READY", OTHER: "READY"}
    found = client.infer(OTHER, [pixels_input()]).as_numpy("logits")
    np.testing.assert_allclose(found, logits(PIXELS, classes=3, seed=1), atol=1e-3)


def test_loading_is_for_who_has_the_token(client: Any) -> None:
    for headers in (None, {"Authorization": "Bearer wrong"}):
        with pytest.raises(InferenceServerException, match="needs a valid key") as caught:
            client.unload_model(ID, headers=headers)
        assert caught.value.status() == "401"
    with pytest.raises(InferenceServerException, match="takes no parameters") as caught:
        client.load_model(ID, headers=TOKEN, config="{}")
    assert caught.value.status() == "501"
    assert client.is_model_ready(ID)


@pytest.mark.parametrize("call", NOT_OFFERED)
def test_what_is_not_offered_says_so(client: Any, call: Any) -> None:
    with pytest.raises(InferenceServerException, match="not offered") as caught:
        call(client)
    assert caught.value.status() == "501"


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        ("nobody", "", r"no model 'nobody' is loaded"),
        (ID, "9", r"has no version '9', expected 1"),
    ],
)
def test_unknown_models_and_versions_are_404(
    client: Any, name: str, version: str, message: str
) -> None:
    assert not client.is_model_ready(name, version)
    calls: tuple[Callable[[], Any], ...] = (
        lambda: client.get_model_metadata(name, version),
        lambda: client.get_model_config(name, version),
        lambda: client.get_inference_statistics(name, version),
        lambda: client.infer(name, [pixels_input()], version),
    )
    for call in calls:
        with pytest.raises(InferenceServerException, match=message) as caught:
            call()
        assert caught.value.status() == "404"


def test_refused_input_is_told_by_the_client(client: Any) -> None:
    wrong = np.zeros((1, 8, 8, 3), np.uint8)
    with pytest.raises(InferenceServerException, match="unexpected shape for input") as caught:
        client.infer(ID, [pixels_input(wrong)])
    assert caught.value.status() == "400"
    with pytest.raises(InferenceServerException, match="image 2 of 2") as caught:
        client.infer(ID, [image_input(png(), b"no picture")])
    assert caught.value.status() == "400"
