"""More pictures than can be decoded in time, as clients see it."""

from concurrent.futures import ThreadPoolExecutor

from tests.service.client import encode, png
from tests.service.fakes import FakeEngine, picture
from tests.service.held_decoder import HeldDecoder
from tests.service.local_service import LocalService
from tests.service.test_overload import wait_for
from tests.service.v2.wire import elements, whole_body

LENGTH = "Inference-Header-Content-Length"
CLIENTS = 8


def test_flood_of_pictures_is_refused_at_once_while_one_is_decoded() -> None:
    decoder = HeldDecoder()
    decoder.forecast.update(png()[:1], len(png()), 100.0)
    engine = FakeEngine()
    service = LocalService(engine, decoder=decoder)
    post = service.client.post
    with ThreadPoolExecutor(CLIENTS) as pool:
        running = pool.submit(post, "/v1/classify", png())
        decoder.entered.wait()

        flood = [
            pool.submit(post, "/v1/classify", png(), X_Request_Timeout="20") for _ in range(CLIENTS)
        ]
        triton = post("/v2/models/tiny-onnx-fp32/infer", png(), **{LENGTH: "0"})
        refused = [future.result() for future in flood]  # nobody lets the decoder go meanwhile

        metrics = service.client.get("/metrics").data.decode()
        decoder.gate.set()
        assert running.result().status == 200
    assert [reply.status for reply in refused] == [503] * CLIENTS
    assert triton.status == 503
    for reply in [*refused, triton]:
        assert "the deadline is out of reach: 0 images wait to be decoded" in reply.error
        assert int(reply.headers["retry-after"]) > 100
    assert f'outcome="rejected"}} {CLIENTS + 1}.0' in metrics
    assert engine.calls == [1]
    service.stop()


def test_background_of_v2_is_decoded_behind_what_came_later() -> None:
    decoder, engine = HeldDecoder(), FakeEngine()
    service = LocalService(engine, decoder=decoder)
    document = {
        "inputs": [
            {
                "name": "image", "datatype": "BYTES", "shape": [1],
                "parameters": {"binary_data_size": len(elements(plain(2)))},
            }
        ],
        "parameters": {"priority": 2},
    }  # fmt: skip
    body, length = whole_body(document, elements(plain(2)))
    post = service.client.post
    with ThreadPoolExecutor(3) as pool:
        replies = [pool.submit(post, "/v1/classify", plain(1))]
        decoder.entered.wait()
        path = "/v2/models/tiny-onnx-fp32/infer"
        replies.append(pool.submit(post, path, body, **{LENGTH: str(length)}))
        wait_for(lambda: decoder.forecast.waiting == 1)
        replies.append(pool.submit(post, "/v1/classify", plain(3)))
        wait_for(lambda: decoder.forecast.waiting == 2)

        decoder.gate.set()
        assert [reply.result().status for reply in replies] == [200] * 3
    assert engine.seen == [1, 3, 2]
    service.stop()


def plain(value: int) -> bytes:
    """A picture of that value all over."""
    return encode(picture(value)[0])
