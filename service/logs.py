"""Log lines of the service: time, level, logger and `key=value` pairs, on standard error."""

import logging
import sys
import time


def configure(*, access: bool) -> None:
    """One handler for everything; `access` adds a line per request."""
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("stride.access").setLevel(logging.DEBUG if access else logging.INFO)
