"""What it costs to have a thread compute something for the event loop, by two ways of handing over.

    python -m benchmarks.decoding_handover [--quick]

Seconds of a hundred calls that compute nothing, as 16 requests make them: some always under way.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import click
import uvloop

from benchmarks.pairs import FULL, QUICK, Call, Contest, compare
from benchmarks.progress import show
from measuring.machine import fingerprint
from measuring.record import append_measurements
from service.workers import Workers

NAME = "decoding hand-over"
CALLS, REQUESTS, THREADS = 100, 16, 2
EXECUTOR, OURS = "run_in_executor", "service/workers.py"

HandOver = Callable[[], Awaitable[object]]


@click.command()
@click.option("--quick", is_flag=True, help="Few runs: to see that it works, not for figures.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("results/decoding.jsonl"),
    show_default=True, help="JSON lines that the measurements are added to.",
)  # fmt: skip
def main(quick: bool, output: Path) -> None:
    """Time both ways of handing over, on the event loop that serves."""
    with (
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ThreadPoolExecutor(THREADS) as pool,
        closing(Workers(THREADS, "bench")) as workers,
    ):
        calls: dict[str, Call] = {
            EXECUTOR: lambda: runner.run(_many(partial(_in_executor, pool))),
            OURS: lambda: runner.run(_many(lambda: workers.submit(_nothing))),
        }
        contest = Contest(NAME, EXECUTOR, 0, CALLS, {"file": "none", "threads": THREADS})
        found = compare(contest, calls, fingerprint(), QUICK if quick else FULL)
    append_measurements(output, found)
    show(found, "file")


async def _many(hand_over: HandOver) -> None:
    left = iter(range(CALLS))

    async def request() -> None:
        for _ in left:
            await hand_over()

    await asyncio.gather(*(request() for _ in range(REQUESTS)))


def _in_executor(pool: ThreadPoolExecutor) -> Awaitable[object]:
    return asyncio.get_running_loop().run_in_executor(pool, _nothing)


def _nothing() -> None:
    """What is computed."""


if __name__ == "__main__":
    main()
