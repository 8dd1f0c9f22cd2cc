"""`stride` with a fake in it: once warm, no engine answers any more. A real one does not hang on
command. Run as `python -m tests.service.hanging_service serve ...`."""

import threading

import cli
from inference.engine import Logits, Pixels
from service.instance import Instance
from service.job import Batch


def hang(self: Instance, batch: Batch, pixels: Pixels, asked: float) -> Logits:
    threading.Event().wait()
    raise AssertionError


if __name__ == "__main__":
    Instance._infer = hang  # type: ignore[method-assign]
    cli.main()
