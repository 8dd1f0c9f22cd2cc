import tempfile
from typing import NoReturn

import numpy as np
import pytest

from tests.service.client import encode
from tests.service.fakes import FakeEngine
from tests.service.local_service import LocalService


def test_large_file_of_a_form_is_not_written_to_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    noise = np.random.default_rng(0).integers(0, 255, (800, 800, 3), np.uint8)
    picture = encode(noise)
    assert len(picture) > 1_500_000
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    service = LocalService(FakeEngine())

    reply = service.client.post(
        "/v1/classify", head + picture + b"\r\n--b--\r\n",
        Content_Type="multipart/form-data; boundary=b",
    )  # fmt: skip

    service.stop()
    assert reply.status == 200, reply.data
