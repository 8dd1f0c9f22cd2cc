"""An engine that answers nothing any more, as clients and probes see it. A fake: a real one does
not break and recover on command."""

import pytest

from service import health
from tests.service.client import encode, png
from tests.service.fakes import POISON, FakeEngine, picture
from tests.service.local_service import LocalService
from tests.service.test_health import BreakableEngine
from tests.service.test_overload import wait_for


def test_model_whose_engine_broke_says_so_while_the_other_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(health, "LONGEST_PAUSE", 0.02)
    engine = BreakableEngine()
    service = LocalService(engine, other=FakeEngine())
    post, get = service.client.post, service.client.get
    engine.broken = True

    failures = [post("/v1/classify?model=tiny-onnx-fp32", png()) for _ in range(health.PATIENCE)]
    wait_for(lambda: post("/v1/classify?model=tiny-onnx-fp32", png()).status == 503)
    refused = post("/v1/classify?model=tiny-onnx-fp32", png())
    unready = get("/v2/models/tiny-onnx-fp32/ready")

    assert [reply.status for reply in failures] == [500] * health.PATIENCE
    assert "the device is lost" in refused.error
    assert int(refused.headers["retry-after"]) >= 1
    assert unready.status == 400
    assert "fails on a picture that it knows: the device is lost" in unready.error
    assert get("/readyz").status == 200
    told = get("/metrics").data
    assert b'stride_engine_ready{model="tiny-onnx-fp32"} 0.0' in told
    assert b'stride_engine_ready{model="other-onnx-fp32"} 1.0' in told
    assert get("/v2/models/other-onnx-fp32/ready").status == 200
    assert post("/v1/classify?model=other-onnx-fp32", png()).status == 200
    compared = post("/v1/compare", png()).json["results"]
    assert ["error" in result for result in compared] == [True, False]

    engine.broken = False
    wait_for(lambda: get("/v2/models/tiny-onnx-fp32/ready").status == 200)
    assert b'stride_engine_ready{model="tiny-onnx-fp32"} 1.0' in get("/metrics").data
    assert post("/v1/classify?model=tiny-onnx-fp32", png()).status == 200
    service.stop()


def test_requests_that_fail_by_themselves_leave_the_model_ready() -> None:
    service = LocalService(FakeEngine())
    poison = encode(picture(POISON)[0])

    for _ in range(3 * health.PATIENCE):
        assert service.client.post("/v1/classify", poison).status == 500

    assert service.client.get("/readyz").status == 200
    assert service.client.post("/v1/classify", png()).status == 200
    service.stop()
