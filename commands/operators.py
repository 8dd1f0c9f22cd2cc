"""`stride operators`: what each kind of convolution costs on this machine, and what it reaches."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands import options

if TYPE_CHECKING:
    from measuring.record import Measurement

_RESULTS = Path("results/operators.jsonl")


@click.command(short_help="Time every convolution operator on this machine.")
@click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True,
    help="Processor threads that compute.",
)  # fmt: skip
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True,
    help="cuda: an NVIDIA GPU, with 32 pictures at a time.",
)  # fmt: skip
@click.option("--quick", is_flag=True, help="One map instead of four, fewer runs.")
@click.option("--fresh", is_flag=True, help="Measure again what was measured here before.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), default=_RESULTS,
    show_default=True, help="JSON lines that keep the measurements.",
)  # fmt: skip
@options.as_json
def command(as_json: bool, **values: Any) -> None:
    """Time ten layers of every operator on the four maps of the FasterNet paper, through PyTorch,
    ONNX Runtime and OpenVINO in turn: regular, depthwise, depthwise separable, group, channel-wise,
    spatially separable, partial, T-shaped and shuffled convolutions of equal width; blocks of equal
    accuracy budget; and the four guidelines of ShuffleNetV2. Multiply-accumulates, bytes, time,
    rate, and the papers' figures beside.

    What is done is kept: an interrupted run goes on where it was.
    """
    from benchmarks.operator_tables import TABLES, columns, document, rows
    from commands.output import print_json, print_table

    found = _measure(**values)
    if as_json:
        print_json({"operators": document(found)})
        return
    for table, title in TABLES.items():
        if lines := rows(found, table):
            click.echo(f"\n{title}\n")
            print_table(columns(table), lines)


def _measure(
    *, threads: int, device: str, quick: bool, fresh: bool, output: Path
) -> "list[Measurement]":
    from benchmarks.operators import Run, measure_operators, pieces
    from commands.piece_progress import counted
    from inference.torch_arithmetic import require_arithmetic
    from measuring.machine import fingerprint

    require_arithmetic("fp32", device)
    run = Run(fingerprint(), threads, device, quick)
    every = measure_operators(run, output, fresh=fresh)
    return [record for _, records in counted(every, pieces(run)) for record in records]
