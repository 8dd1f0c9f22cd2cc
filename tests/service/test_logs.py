"""JSON lines: one for each event, whoever logs it and whatever it holds."""

import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.logs import JsonFormatter, configure


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """What `configure` sets is the whole process's."""
    root = logging.getLogger()
    access = logging.getLogger("stride.access")
    before = root.handlers, root.level, access.level, threading.excepthook, sys.excepthook
    yield
    root.handlers, root.level, access.level, threading.excepthook, sys.excepthook = before
    logging.captureWarnings(capture=False)


def record(template: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("stride.x", logging.INFO, "", 0, template, arguments, None)


def event(template: str, *arguments: object) -> dict[str, Any]:
    line = JsonFormatter().format(record(template, *arguments))
    assert "\n" not in line
    made: dict[str, Any] = json.loads(line, parse_constant=pytest.fail)
    return made


def test_json_has_the_pairs_of_the_template_as_fields() -> None:
    made = event("loaded model=%s instances=%d seconds=%.2f of 100%% at %s", "a", 2, 0.123456, "b")
    made.pop("time")
    assert made == {
        "level": "INFO",
        "logger": "stride.x",
        "message": "loaded model=a instances=2 seconds=0.12 of 100% at b",
        "model": "a",
        "instances": 2,
        "seconds": 0.123456,
    }


def test_json_keeps_its_own_fields() -> None:
    made = event("message=%s level=%s id=%s", "mine", "mine", "r-1")
    assert (made["level"], made["request_id"]) == ("INFO", "r-1")
    assert made["message"] == "message=mine level=mine id=r-1"


@given(st.one_of(st.text(), st.floats(), st.integers(), st.binary(), st.none(), st.just("\udcff")))
def test_json_is_one_line_whatever_a_value_is(value: object) -> None:
    assert event("x value=%s", value)["message"] == f"x value={value}"


def test_json_has_errors_with_their_traceback(
    logging_restored: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(access=False, form="json")
    try:
        raise ValueError('several\nlines "and quotes"')
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    made = json.loads(capsys.readouterr().err)

    assert (made["logger"], made["level"]) == ("uvicorn.error", "ERROR")
    assert made["error"] == 'ValueError: several\nlines "and quotes"'
    assert made["traceback"].startswith("Traceback (most recent call last):\n")
    assert "test_logs.py" in made["traceback"]


def test_json_has_warnings_threads_that_die_and_the_end(
    logging_restored: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(access=False, form="json")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("a warning\nof two lines", stacklevel=1)
    thread = threading.Thread(target=lambda: 1 / 0, name="engine-0")
    thread.start()
    thread.join()
    sys.excepthook(ValueError, ValueError("the last\nword"), None)
    warned, died, ended = (json.loads(line) for line in capsys.readouterr().err.splitlines())

    assert warned["logger"] == "py.warnings"
    assert "a warning\nof two lines" in warned["message"]
    assert (ended["level"], ended["error"]) == ("CRITICAL", "ValueError: the last\nword")
    assert (died["thread"], died["error"]) == ("engine-0", "ZeroDivisionError: division by zero")


def test_text_stays_what_it_was(logging_restored: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure(access=False)
    logging.getLogger("stride.load").info("loaded model=%s", "a")
    assert capsys.readouterr().err.endswith("Z INFO stride.load loaded model=a\n")
