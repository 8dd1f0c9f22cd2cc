import pytest

from measuring.errors import InputError
from service.model_option import parse_model
from service.settings import Batching, ModelSpec


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("tiny-onnx-fp32", ModelSpec("tiny-onnx-fp32"), id="id-alone"),
        pytest.param("prod=tiny", ModelSpec("tiny", alias="prod"), id="alias"),
        pytest.param(
            "tiny:instances=2,threads=1,max_batch=8,runtime=null",
            ModelSpec("tiny", runtime="null", instances=2, threads=1, max_batch=8),
            id="options",
        ),
        pytest.param(
            "tiny:policy=slo,slo=20ms",
            ModelSpec("tiny", batching=Batching("slo", slo=0.02)),
            id="slo-in-milliseconds",
        ),
        pytest.param(
            "tiny:policy=delay,delay=0.002",
            ModelSpec("tiny", batching=Batching("delay", delay=0.002)),
            id="delay-in-seconds",
        ),
        pytest.param(
            "tiny:policy=none", ModelSpec("tiny", batching=Batching("none")), id="no-batching"
        ),
        pytest.param(
            "a=tiny:device=cpu", ModelSpec("tiny", alias="a", device="cpu"), id="alias-and-option"
        ),
    ],
)
def test_parse_model_reads(text: str, expected: ModelSpec) -> None:
    assert parse_model(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "no model id there", id="empty"),
        pytest.param("=tiny", "no model id there", id="empty-alias"),
        pytest.param("../tiny", "no model id there", id="path"),
        pytest.param("tiny:speed=11", "cannot read 'speed=11'", id="unknown-key"),
        pytest.param("tiny:threads", "cannot read 'threads'", id="no-value"),
        pytest.param("tiny:threads=0", "threads=0 is no number from 1 to 4096", id="zero"),
        pytest.param(
            "tiny:policy=fast",
            "policy=fast is none of none, work-conserving, delay, slo",
            id="policy",
        ),
        pytest.param("tiny:policy=slo", "policy=slo needs slo=SECONDS", id="slo-without-time"),
        pytest.param("tiny:slo=20ms", "slo is for policy=slo", id="time-without-policy"),
        pytest.param("tiny:policy=slo,slo=20m", "slo=20m is no time above 0", id="unit"),
        pytest.param("tiny:policy=delay,delay=0", "delay=0 is no time above 0", id="no-time"),
        pytest.param("tiny:policy=slo,slo=1e9", "slo=1e9 is no time", id="too-long"),
        pytest.param("tiny:threads=two", "threads=two is no number", id="no-number"),
    ],
)
def test_parse_model_refuses_and_shows_the_form(text: str, message: str) -> None:
    with pytest.raises(InputError, match=r"expected|number|policy") as raised:
        parse_model(text)
    assert message in str(raised.value)
