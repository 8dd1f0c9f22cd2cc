"""What the service says of a model, or a message that tells what it said instead."""

import pytest

from demo.model import read_model
from measuring.errors import CheckError
from tests.demo.small_service import closed_port, served


def test_read_model_of_one_that_is_not_loaded() -> None:
    with (
        served(lambda *_: (200, {})) as url,
        pytest.raises(CheckError, match=r"/v1/models/a%20b answered HTTP 404 with b.*of a b"),
    ):
        read_model(url, "a b")


def test_read_model_of_a_service_that_is_gone() -> None:
    with pytest.raises(CheckError, match=r"no answer from http://127\.0\.0\.1:\d+/v1/models/a: "):
        read_model(f"http://127.0.0.1:{closed_port()}", "a")
