"""One service for all of this folder's tests that need a whole one: the real runtime and the null
one beside it, in a process of its own."""

from collections.abc import Iterator

import pytest

from tests.service.process import ServiceProcess
from tests.tiny import write_tiny


@pytest.fixture(scope="session")
def tiny_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address; `tiny` and `floor` are loaded, of pictures of 16 pixels and 32 classes."""
    repository = tmp_path_factory.mktemp("repository")
    write_tiny(repository)
    process = ServiceProcess(
        repository,
        *("--model", "tiny-onnx-fp32:instances=1,threads=1"),
        *("--model", "floor=tiny-onnx-fp32:runtime=null,instances=1"),
    ).wait_until_ready()
    yield process.url
    assert process.stop() == 0, process.text
