import pytest

from measuring.errors import InputError
from service.settings import ModelSpec, parse_model


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
        pytest.param("tiny:threads=two", "threads=two is no number", id="no-number"),
    ],
)
def test_parse_model_refuses_and_shows_the_form(text: str, message: str) -> None:
    with pytest.raises(InputError, match=r"expected|number") as raised:
        parse_model(text)
    assert message in str(raised.value)
