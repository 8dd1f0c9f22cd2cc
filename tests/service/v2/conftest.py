"""One service for the tests of a file: two models, and an admin token that may change them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.process import ServiceProcess
from tests.service.v2.wire import ADMIN
from tests.tiny import write_tiny


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    repository = tmp_path_factory.mktemp("artifacts")
    write_tiny(repository, "tiny")
    write_tiny(repository, "other", seed=1, classes=3)
    token: Path = tmp_path_factory.mktemp("secrets") / "token"
    token.write_text(f"{ADMIN}\n")
    running = ServiceProcess(
        repository, "--drain-delay", "0", "--model-control", "--admin-token-file", str(token),
        "--max-body-bytes", "1000000",
        "--model", "small=tiny-onnx-fp32:max_batch=8,instances=2,threads=1",
        "--model", "other-onnx-fp32:max_batch=8,instances=1,threads=1",
    ).wait_until_ready()  # fmt: skip
    yield running
    assert running.stop() == 0, running.text
    assert "Traceback" not in running.text, running.text
