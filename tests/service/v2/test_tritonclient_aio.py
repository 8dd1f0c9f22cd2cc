"""The asynchronous half of NVIDIA's client, which is another HTTP stack altogether (aiohttp)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.http import aio
from tritonclient.utils import InferenceServerException

from tests.service.process import ServiceProcess
from tests.service.v2.wire import ADMIN, ID, OTHER, logits, pictures

PIXELS = pictures(50)
TOKEN = {"Authorization": f"Bearer {ADMIN}"}

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(service: ServiceProcess, anyio_backend: str) -> AsyncIterator[Any]:
    async with aio.InferenceServerClient(service.url.removeprefix("http://")) as made:
        yield made


def pixels_input(pixels: Any) -> Any:
    return triton.InferInput("pixels", list(pixels.shape), "UINT8").set_data_from_numpy(pixels)


async def test_fifty_requests_at_once_each_get_their_own_answer(client: Any) -> None:
    async def ask(index: int) -> Any:
        pixels = pixels_input(PIXELS[index : index + 1])
        outputs = [triton.InferRequestedOutput("logits", binary_data=index % 2 == 0)]
        result = await client.infer(ID, [pixels], outputs=outputs, request_id=f"n{index}")
        assert result.get_response()["id"] == f"n{index}"
        return result.as_numpy("logits")[0]

    found = await asyncio.gather(*map(ask, range(50)))

    np.testing.assert_allclose(np.stack(found), logits(PIXELS), atol=1e-3)


async def test_every_other_call(client: Any) -> None:
    assert await client.is_server_live()
    assert await client.is_server_ready()
    assert await client.is_model_ready("small", "1")
    assert (await client.get_server_metadata())["name"] == "stride"
    assert (await client.get_model_metadata(ID))["platform"] == "onnxruntime_onnx"
    assert (await client.get_model_config(OTHER))["output"][0]["dims"] == [3]
    assert (await client.get_inference_statistics(ID))["model_stats"][0]["version"] == "1"
    assert len((await client.get_inference_statistics())["model_stats"]) == 2
    await client.unload_model(OTHER, headers=TOKEN)
    assert not await client.is_model_ready(OTHER)
    await client.load_model(OTHER, headers=TOKEN)
    index = await client.get_model_repository_index()
    assert {entry["state"] for entry in index} == {"READY"}


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
async def test_compressed_requests(client: Any, algorithm: str) -> None:
    result = await client.infer(ID, [pixels_input(PIXELS)], request_compression_algorithm=algorithm)
    np.testing.assert_allclose(result.as_numpy("logits"), logits(PIXELS), atol=1e-3)


async def test_errors_come_with_their_message(client: Any) -> None:
    with pytest.raises(InferenceServerException, match=r"no model 'nobody' is loaded"):
        await client.get_model_metadata("nobody")
    with pytest.raises(InferenceServerException, match="not offered"):
        await client.get_log_settings()
