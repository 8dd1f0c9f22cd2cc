"""Log lines of the service on standard error: `key=value` pairs for people, or JSON for machines.

Every line's template is `what happened key=%s key=%s`, and so is its own schema: the JSON has the
keys as fields, with numbers as numbers.
"""

import json
import logging
import math
import re
import sys
import threading
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, get_args

Format = Literal["text", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)

_CONVERSION = re.compile(r"(?:(\w+)=)?%(?:%|[-#0 +]*\d*(?:\.\d+)?[a-zA-Z])")
_FIELDS = {"id": "request_id"}
"""Names that say too little without their line."""


def configure(*, access: bool, form: Format = "text") -> None:
    """One handler for everything; `access` adds a line per request."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_text() if form == "text" else JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("stride.access").setLevel(logging.DEBUG if access else logging.INFO)
    if form == "json":  # what would be printed otherwise, and not as JSON
        logging.captureWarnings(capture=True)
        threading.excepthook = _log_thread
        sys.excepthook = _log_crash


def configured() -> tuple[bool, Format]:
    """What `configure` was told here, for another process that is to log like this one."""
    formatters = {type(handler.formatter) for handler in logging.getLogger().handlers}
    access = logging.getLogger("stride.access").isEnabledFor(logging.DEBUG)
    return access, "json" if JsonFormatter in formatters else "text"


class JsonFormatter(logging.Formatter):
    """One JSON object on one line for each event. Errors have their traceback in `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        event: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in _fields(record):
            event.setdefault(_FIELDS.get(name, name), value)
        if record.exc_info and record.exc_info[0] is not None:
            error = record.exc_info[1]
            event["error"] = f"{record.exc_info[0].__name__}: {error}"
            event["traceback"] = self.formatException(record.exc_info)
        return json.dumps(event)


def _fields(record: logging.LogRecord) -> list[tuple[str, Any]]:
    """The values that stand behind `key=` in the template."""
    if not isinstance(record.args, tuple) or not isinstance(record.msg, str):
        return []
    conversions = [c for c in _CONVERSION.finditer(record.msg) if not c.group().endswith("%%")]
    if len(conversions) != len(record.args):
        return []
    named = zip(conversions, record.args, strict=True)
    return [(found[1], _plain(value)) for found, value in named if found[1]]


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such numbers
    return value if isinstance(value, bool | int | float | str) else str(value)


def _text() -> logging.Formatter:
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    return formatter


def _log_crash(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    logging.getLogger("stride.serve").critical("ended by an error", exc_info=(kind, error, trace))


def _log_thread(arguments: threading.ExceptHookArgs) -> None:
    name = arguments.thread.name if arguments.thread else "?"
    error: tuple[type[BaseException], BaseException, TracebackType | None] | None = None
    if arguments.exc_value is not None:
        error = arguments.exc_type, arguments.exc_value, arguments.exc_traceback
    logging.getLogger("stride.serve").error("thread died thread=%s", name, exc_info=error)
