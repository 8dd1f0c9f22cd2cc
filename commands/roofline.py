"""`stride roofline`: what the machine can do at most, and how much of it each operation reaches."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands import options

if TYPE_CHECKING:
    from measuring.record import Measurement

NETWORKS = (
    *("fasternet_t0", "mobilenet_v2", "mobilenet_v3_large", "shufflenet_v2_x1_0"),
    *("efficientnet_b0", "resnet50"),
)
QUICK_NETWORKS = ("fasternet_t0", "shufflenet_v2_x1_0")
_LONGEST = 6  # operations of each network that are shown
_RESULTS = Path("results/roofline.jsonl")


@click.command(short_help="Hold every operation of a network against what this machine can do.")
@click.argument("networks", metavar="[NETWORK...]", nargs=-1)
@click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True,
    help="Processor threads that compute.",
)  # fmt: skip
@click.option(
    "--batch", type=click.IntRange(min=1), default=1, show_default=True, help="Pictures of one run."
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="cuda: the peaks alone; a GPU's operations are not profiled here.",
)
@click.option("--quick", is_flag=True, help="Two networks, fewer runs.")
@click.option("--fresh", is_flag=True, help="Measure again what was measured here before.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), default=_RESULTS,
    show_default=True, help="JSON lines that keep the measurements.",
)  # fmt: skip
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False),
    help="Draw it into this .svg, .png or .pdf.",
)  # fmt: skip
@options.as_json
def command(networks: tuple[str, ...], **values: Any) -> None:
    """Measure this machine's peaks (matrix products in each precision, copying and reading data
    from 64 KiB to 256 MiB), then time every operation of NETWORK by the profilers of ONNX Runtime
    and OpenVINO: arithmetic, bytes, time, rate, and the share of the attainable roof. And say what
    each network's time is made of.

    Weights never learnt: they take as long as others.
    """
    _require_networks(networks)
    names = networks or (QUICK_NETWORKS if values["quick"] else NETWORKS)
    found = _measure(names, **values)
    _show(found, **values)


def _require_networks(networks: tuple[str, ...]) -> None:
    from measuring.errors import InputError
    from models import names

    if unknown := [name for name in networks if name not in names()]:
        raise InputError(f"unknown network {unknown[0]!r}: expected some of {', '.join(names())}")


def _measure(
    networks: tuple[str, ...],
    *,
    threads: int,
    batch: int,
    device: str,
    quick: bool,
    fresh: bool,
    output: Path,
    **_: Any,
) -> "list[Measurement]":
    from benchmarks import layers, peaks
    from benchmarks.pieces import measured_piece
    from benchmarks.run_graph import available
    from commands.output import print_step
    from inference.torch_arithmetic import require_arithmetic
    from measuring.machine import fingerprint

    require_arithmetic("fp32", device)
    machine = fingerprint()
    length = "quick" if quick else "full"
    print_step(f"peaks of {device}, {threads} thread(s)")
    found = peaks.kept_peaks(output, threads, machine, device=device, quick=quick, fresh=fresh)
    runs = layers.QUICK_RUNS if quick else layers.RUNS
    for name in networks if device == "cpu" else ():
        for runtime in available():
            print_step(f"{name} through {runtime}")
            found += measured_piece(
                output,
                f"layers {name} {runtime} {threads} {batch} {length}",
                lambda name=name, runtime=runtime: layers.measure_layers(  # type: ignore[misc]
                    name, runtime, machine, threads=threads, batch=batch, runs=runs
                ),
                machine,
                fresh=fresh,
            )
    return found


def _show(
    found: "list[Measurement]",
    *,
    threads: int,
    device: str,
    as_json: bool,
    plot: Path | None,
    **_: Any,
) -> None:
    from dataclasses import asdict

    from benchmarks import roofline, roofline_shares
    from commands.output import print_json, print_table

    roof = roofline.roof(found, threads=threads, device=device)
    under = roofline.points(found, roof)
    if as_json:
        print_json({"roof": asdict(roof), "operations": [asdict(point) for point in under]})
    else:
        print_table(roofline_shares.ROOF_COLUMNS, roofline_shares.roof_rows(roof, precision="fp32"))
        if under:
            print_table(roofline_shares.NETWORK_COLUMNS, roofline_shares.network_rows(under))
            print_table(roofline_shares.TIME_COLUMNS, roofline_shares.time_rows(under))
            rows = roofline_shares.layer_rows(under, most=_LONGEST)
            print_table(roofline_shares.LAYER_COLUMNS, rows)
    if plot is not None and under:
        _draw(plot, under, roof)


def _draw(path: Path, under: Any, roof: Any) -> None:
    """The roofline of the runtime that comes first."""
    from benchmarks.roofline_plot import roofline_plot, save
    from commands.output import print_step

    save(roofline_plot(under, roof, runtime=under[0].runtime), path)
    print_step(f"plot: {path}")
