"""`stride claims`: the eighteen claims of the source texts, held against this machine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands import options
from measuring.errors import InputError

if TYPE_CHECKING:
    from benchmarks.claims.judged import Judged
    from benchmarks.claims.table import Claim
    from measuring.record import Measurement

_RESULTS = Path("results/claims.jsonl")


def _numbers(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[int, ...]:
    """Raises InputError for what is no claim."""
    if wrong := [v for v in values if not (v.isdecimal() and 1 <= int(v) <= 18)]:
        raise InputError(f"claim {wrong[0]!r}: expected numbers from 1 to 18, as in docs/claims.md")
    return tuple(dict.fromkeys(map(int, values)))


def _weights(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> Mapping[str, Path]:
    """`resnet50=file.pth` -> {"resnet50": Path("file.pth")}."""
    pairs = [value.partition("=") for value in values]
    if wrong := ["".join(pair) for pair in pairs if not (pair[0] and pair[2])]:
        raise InputError(f"--weights {wrong[0]!r}: expected NETWORK=FILE, as resnet50=resnet50.pth")
    return {network: Path(path) for network, _, path in pairs}


@click.command(short_help="Confirm or refute the papers' claims on this machine.")
@click.argument("numbers", metavar="[CLAIM...]", nargs=-1, callback=_numbers)
@click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True,
    help="Processor threads that compute.",
)  # fmt: skip
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True,
    help="cuda: an NVIDIA GPU.",
)  # fmt: skip
@click.option(
    "--weights", multiple=True, metavar="NETWORK=FILE", callback=_weights,
    help="A checkpoint for the claims about trained filters and maps (12, 13, 17); repeatable.",
)  # fmt: skip
@click.option(
    "--images", type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Pictures for claim 17; by default photographs that scikit-image carries.",
)  # fmt: skip
@click.option(
    "--records", type=click.Path(path_type=Path, dir_okay=False, exists=True), multiple=True,
    help="Judge the records of this file and measure nothing; repeatable.",
)  # fmt: skip
@click.option("--quick", is_flag=True, help="Fewer networks, maps and runs: about two minutes.")
@click.option("--fresh", is_flag=True, help="Measure again what was measured here before.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), default=_RESULTS,
    show_default=True, help="JSON lines that keep the measurements.",
)  # fmt: skip
@options.as_json
def command(numbers: tuple[int, ...], as_json: bool, **values: Any) -> None:
    """Measure what the eighteen claims speak of, or only CLAIM, and print for each: confirmed,
    refuted or undecided on this machine, with the numbers and the command behind them.

    A part of a claim is confirmed where its whole 95 % interval is on the right side of the bound,
    refuted where all of it is on the wrong side; a claim is confirmed where every part of it is,
    and refuted where one is. What is done is kept: an interrupted run goes on where it was.
    docs/claims.md lists the claims by their numbers.
    """
    from benchmarks.claims.judged import document, judge
    from benchmarks.claims.table import CLAIMS
    from commands.output import print_json

    chosen = [claim for claim in CLAIMS if not numbers or claim.number in numbers]
    judged = judge(_records(chosen, **values), chosen)
    if as_json:
        print_json({"claims": document(judged)})
        return
    _print(judged)


def _records(
    claims: "Sequence[Claim]", *, records: tuple[Path, ...], output: Path, **values: Any
) -> "Sequence[Measurement]":
    from commands.output import print_step
    from measuring.machine import fingerprint
    from measuring.record import read_measurements

    if records:
        return [measured for path in records for measured in read_measurements(path)]
    from benchmarks.claims.studies import Study, measure
    from inference.torch_arithmetic import require_arithmetic

    require_arithmetic("fp32", values["device"])
    return measure(Study(fingerprint(), output, print_step, **values), claims)


def _print(judged: "Sequence[Judged]") -> None:
    from benchmarks.claims.judged import (
        FINDING_COLUMNS,
        SUMMARY_COLUMNS,
        finding_rows,
        summary_rows,
    )
    from commands.output import print_table

    for entry in judged:
        claim = entry.claim
        click.echo(f"\n{claim.number}. {claim.title}: {entry.verdict} ({entry.parts})")
        click.echo(f"   {claim.text}\n   {entry.command}\n")
        print_table(FINDING_COLUMNS, finding_rows(entry.findings))
    if len(judged) > 1:
        click.echo()
        print_table(SUMMARY_COLUMNS, summary_rows(judged))
