"""`stride demo`: weights, export, verify, serve, classify, and one table in the end."""

import json
import os
import shlex
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from demo.checkpoints import Prepared, prepare
from demo.command import stride
from demo.model import read_model
from demo.screen import Screen
from demo.service_process import HOST, Service, free_port, started, stop, wait_until_ready
from demo.summary import Row, document_of, failure_lines, remarks, row_of, table_of
from demo.traffic import Tally, classify_all
from measuring.machine import fingerprint

USUAL_PORT = 8000  # of `stride serve`


@dataclass(frozen=True)
class DemoOptions:
    """`weights`: auto, pretrained, digits or untrained; `port` 0: a free one."""

    weights: str = "auto"
    keep: bool = False
    port: int = 0
    concurrency: int = 8
    json: bool = False
    directory: Path = Path("artifacts/demo")


def run(options: DemoOptions) -> int:
    """The exit code: 1 if any answer was not what was asked for.

    Raises MissingError and CheckError for a step that could not be done; what was started is
    ended then.
    """
    screen = Screen()
    with _ended_by_signals():
        prepared = prepare(options.weights, options.directory, screen)
        port = free_port(options.port)
        log = prepared.repository.parent / "service.log"
        serve = stride("serve", "--repository", prepared.repository, "--port", port)
        screen.step("Serve all of them over HTTP")
        with started(serve, screen, port=port, log=log) as service:
            wait_until_ready(service)
            screen.note(f"Ready: {service.url}, described at {service.url}/docs")
            tallies = _classify(prepared, service, options.concurrency, screen)
            rows = _rows(service, tallies)
            if not options.keep:
                stop(service)
    screen.note("")
    _show(rows, options, prepared, service)
    for line in failure_lines(tallies):
        screen.note(line)
    return 1 if any(row.failures for row in rows) else 0


def _classify(
    prepared: Prepared, service: Service, concurrency: int, screen: Screen
) -> tuple[Tally, ...]:
    pictures = prepared.pictures
    screen.step(f"Classify {len(pictures)} pictures with each network, {concurrency} at a time")
    screen.note("Every request is like this one:")
    screen.command(_curl(service.port, prepared, "classify", model=prepared.models[0], k=1))
    with screen.bar() as bar:
        task = bar.add_task("answers", total=len(pictures) * len(prepared.models))
        return classify_all(
            service.url,
            prepared.models,
            pictures,
            concurrency=concurrency,
            report=lambda answers: bar.advance(task, answers),
        )


def _rows(service: Service, tallies: tuple[Tally, ...]) -> tuple[Row, ...]:
    return tuple(row_of(read_model(service.url, tally.model), tally) for tally in tallies)


def _show(
    rows: tuple[Row, ...], options: DemoOptions, prepared: Prepared, service: Service
) -> None:
    machine = fingerprint()
    steps = next_steps(prepared, service, keep=options.keep)
    results = Console(highlight=False)
    if options.json:
        document = document_of(
            rows,
            machine,
            weights=prepared.kind,
            repository=str(prepared.repository),
            concurrency=options.concurrency,
            url=service.url if options.keep else None,
            pid=service.process.pid if options.keep else None,
            next_steps=steps,
        )
        results.out(json.dumps(document, indent=2), highlight=False)
        return
    results.print(table_of(rows))
    for line in ("", *remarks(rows, machine, options.concurrency), "", _heading(), *steps):
        results.print(line, markup=False, soft_wrap=True)


def _heading() -> str:
    """Of the next steps; says where `stride` is if the shell does not know it."""
    activate = Path(sys.prefix, "bin", "activate")
    if shutil.which("stride") or not activate.is_file():
        return "What to try next"
    return f"What to try next, after: . {os.path.relpath(activate)}"


def next_steps(prepared: Prepared, service: Service, *, keep: bool) -> tuple[str, ...]:
    """Commands that work as they stand, with the paths and the port of this run."""
    port = service.port if keep else USUAL_PORT
    serve = stride("serve", "--repository", prepared.repository, "--port", port)
    first = (
        f"kill {service.process.pid}  # ends the service, which runs on"
        if keep
        else f"{serve.line}  # the demo has ended its own; then, in another terminal:"
    )
    return (
        first,
        _curl(port, prepared, "classify", model=prepared.models[0], k=3),
        _curl(port, prepared, "compare", k=1),
        f"curl -s http://{HOST}:{port}/metrics | grep stride_stage_seconds_sum",
        stride("verify", prepared.repository / prepared.models[0]).line,
    )


def _curl(port: int, prepared: Prepared, action: str, **query: Any) -> str:
    parameters = "&".join(f"{name}={value}" for name, value in query.items())
    return shlex.join(
        (
            *("curl", "-s", "--data-binary", f"@{prepared.pictures[0].path}"),
            f"http://{HOST}:{port}/v1/{action}?{parameters}",
        )
    )


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal end the demo as an error does: what it started is ended."""

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # What is ignored, as under nohup, stays ignored.
    numbers = [
        number
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    before = [signal.signal(number, leave) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
