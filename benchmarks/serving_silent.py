"""`stride serve` that records nothing: no metrics, no statistics, no stage times on the answers.

    python -m benchmarks.serving_silent REPOSITORY MODEL_OPTION

For measuring what recording costs; nobody else should want it.
"""

import sys
from pathlib import Path
from typing import Any

from service import core
from service.busy import BusyTime
from service.entrance import Entrance
from service.exchange import Exchange
from service.logs import configure
from service.loop_lag import LoopLag
from service.metrics import Metrics
from service.model_option import parse_model
from service.server import serve
from service.settings import Settings

_SILENT: tuple[tuple[type, tuple[str, ...]], ...] = (
    (Metrics, ("batch", "computed", "request")),
    (BusyTime, ("start", "end")),
    (LoopLag, ("_beat",)),
)


def main() -> None:
    """See the module."""
    repository, option = sys.argv[1:]
    for recorder, verbs in _SILENT:
        for verb in verbs:
            setattr(recorder, verb, _nothing)
    Entrance._record = _nothing  # type: ignore[method-assign]
    Exchange.server_timing = lambda self: "none"  # type: ignore[method-assign]  # noqa: ARG005
    core._count_batch = _nothing
    configure(access=False)
    serve(Settings(repository=Path(repository), models=(parse_model(option),), port=0))


def _nothing(*_: Any, **__: Any) -> None:
    """In place of everything that records."""


if __name__ == "__main__":
    main()
