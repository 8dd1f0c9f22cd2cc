"""`stride serve` gives the process one log handler; in a test the process is not its own."""

import logging
from collections.abc import Iterator

import pytest

LOGGERS = ("uvicorn.error", "stride.access")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A handler left behind would write every later record to a stream that is closed."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    yield
    root.handlers = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
