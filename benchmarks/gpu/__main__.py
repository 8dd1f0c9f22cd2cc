"""The command line of the suite."""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import torch

from benchmarks.gpu.journal import Entry, Journal
from benchmarks.gpu.plan import STAGES, chosen, missing, planned
from benchmarks.gpu.run import run
from benchmarks.gpu.scale import FULL, REHEARSAL
from benchmarks.gpu.step import Context, Step
from benchmarks.gpu.table import ended, tables
from measuring.errors import MissingError, StrideError
from measuring.machine import fingerprint

_RESULTS = Path("results/gpu")


@dataclass(frozen=True)
class Options:
    """As they were given on the command line."""

    stages: str
    seconds: float | None
    most: float
    output: Path | None
    resume: Path | None
    repository: Path | None
    device: str
    dry_run: bool


@click.command(context_settings={"max_content_width": 100})
@click.option("--stages", default="", help="Which, separated by commas; all by default.")
@click.option("--seconds", type=float, default=None, help="For each stage, instead of its own.")
@click.option("--most", type=float, default=520.0, show_default=True, help="Seconds for all.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder for records and log.")
@click.option("--resume", type=click.Path(path_type=Path), help="Folder of an earlier run.")
@click.option("--repository", type=click.Path(path_type=Path), help="Where artifacts are made.")
@click.option(
    "--device", type=click.Choice(("cuda", "cpu")), default="cuda", show_default=True,
    help="cpu: a rehearsal of the steps on tiny inputs, no measurement.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="List the steps and what they miss; do nothing.")
def main(**given: Any) -> None:
    """Check and measure Stride on this machine's GPU, from the source tree, without a network.

    Run again with --resume to go on where an earlier run stopped. Exit code 1 if a self-test or
    another step failed, 3 if there is no GPU.
    """
    scratch = Path(tempfile.mkdtemp(prefix="stride-gpu-"))
    try:
        sys.exit(_suite(Options(**given), scratch))
    except StrideError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _suite(options: Options, scratch: Path) -> int:
    """The exit code. `scratch`: a folder for what nobody keeps."""
    names = chosen([name for name in options.stages.split(",") if name])
    if not options.dry_run:
        _require(options.device)
    folder = scratch if options.dry_run else options.output or _folder()
    journal = Journal(folder, resume=options.resume)
    scale = FULL if options.device == "cuda" else REHEARSAL
    repository = options.repository or scratch / "artifacts"
    context = Context(options.device, scale, journal, repository)
    steps = planned(names, context)
    if options.dry_run:
        _list(steps, context)
        return 0
    budgets = {} if options.seconds is None else dict.fromkeys(STAGES, options.seconds)
    entries = run(steps, context, budgets=budgets, most=options.most, report=_report)
    text = f"{tables(journal.measurements)}\n\n{ended(entries)}\n"
    (folder / "tables.md").write_text(text, encoding="utf-8")
    click.echo(f"\n{text}\nRecords are in {folder}")
    return int(any(entry.outcome == "failed" for entry in entries))


def _folder() -> Path:
    return _RESULTS / f"{datetime.now(UTC):%Y-%m-%d}-{fingerprint().key}"


def _require(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        raise MissingError(
            f"torch {torch.__version__} finds no GPU: expected a build with CUDA, an NVIDIA GPU "
            "and its driver; --dry-run lists the steps, --device cpu rehearses them on tiny inputs"
        )


def _list(steps: Sequence[Step], context: Context) -> None:
    stage = ""
    for step in steps:
        if step.stage != stage:
            stage = step.stage
            click.echo(f"{stage} (at most {STAGES[stage].seconds:.0f} s)")
        reason = missing(step, context.device)
        if context.journal.finished(step.stage, step.name):
            reason = "finished before"
        click.echo(f"  {step.name}{f': left out, {reason}' if reason else ''}")


def _report(entry: Entry) -> None:
    click.echo(
        f"[{entry.seconds:6.1f} s] {entry.stage}, {entry.step}: {entry.outcome}, {entry.message}"
    )


if __name__ == "__main__":
    main()
