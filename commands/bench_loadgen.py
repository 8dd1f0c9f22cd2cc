"""`stride bench --loadgen`: its options, and what it prints."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from commands import options
from commands.options import Decorator
from measuring.errors import InputError

if TYPE_CHECKING:
    from benchmarks.bench_plan import Sweep
    from benchmarks.loadgen import LoadgenOrder, LoadgenResult
    from inference.artifact import Artifact
    from measuring.record import Measurement

OPTIONS: tuple[Decorator, ...] = (
    click.option(
        "--loadgen",
        is_flag=True,
        help="MLCommons LoadGen's scenarios instead, shorter than the official runs.",
    ),
    click.option("--loadgen-full", is_flag=True, help="The same, each for the official 600 s."),
    click.option(
        "--loadgen-seconds",
        type=float,
        default=None,
        show_default="5",
        help="Seconds of each scenario; longer where its rules need more queries.",
    ),
    click.option(
        "--scenarios",
        default="SingleStream,MultiStream,Server,Offline",
        show_default=True,
        callback=options.comma_separated,
        help="LoadGen's scenarios.",
    ),
    click.option(
        "--server-rate",
        type=float,
        default=None,
        show_default="found from T(b)",
        help="Queries per second that arrive in the Server scenario.",
    ),
    click.option(
        "--server-latency",
        type=float,
        default=0.015,
        show_default=True,
        help="Seconds that 99 of 100 queries may take there.",
    ),
)


def order(values: dict[str, Any]) -> "LoadgenOrder":
    """Raises InputError for options that contradict each other or are out of range."""
    from benchmarks.loadgen import LoadgenOrder
    from benchmarks.loadgen_settings import OFFICIAL, SCALED_SECONDS, Duration, scenarios

    seconds, full = values["loadgen_seconds"], values["loadgen_full"]
    if full and seconds is not None:
        raise InputError("--loadgen-full has the official durations; leave --loadgen-seconds out")
    for option in ("server_rate", "server_latency"):
        value = values[option]
        if value is not None and not 0.0 < value < 1e9:
            raise InputError(f"--{option.replace('_', '-')}: {value}, expected a number above 0")
    return LoadgenOrder(
        scenarios=scenarios(values["scenarios"]),
        duration=OFFICIAL if full else Duration(SCALED_SECONDS if seconds is None else seconds),
        rate=values["server_rate"],
        latency_bound=values["server_latency"],
    )


def refuse_besides(values: dict[str, Any]) -> None:
    """Raises InputError for options that say nothing to LoadGen."""
    names = ("resume", "images", "percentile", "batch_sizes", "quick")
    if named := [f"--{name.replace('_', '-')}" for name in names if values[name]]:
        raise InputError(
            f"{', '.join(named)}: not for --loadgen, whose rules say what is sent and for how "
            "long; leave it out"
        )


def drive(chosen: "Sequence[Artifact]", sweep: "Sweep", values: dict[str, Any]) -> int:
    """Runs and prints; the exit code is 0 whether LoadGen calls the runs VALID or not."""
    from benchmarks.loadgen import run_loadgen
    from commands.bench_progress import Bar, bar
    from commands.output import print_json

    with bar() as progress:
        result = run_loadgen(chosen, sweep, order(values), values["output"], Bar(progress))
    if values["as_json"]:
        print_json(_document(result))
    else:
        _print(result)
    return 0


def _document(result: "LoadgenResult") -> dict[str, Any]:
    return {
        "run": result.run,
        "records": str(result.path),
        "logs": str(result.logs),
        "scenarios": [dict(record.settings) for record in result.records],
        "left_out": result.left_out,
    }


def _print(result: "LoadgenResult") -> None:
    from commands.bench_tables import print_left_out
    from commands.output import print_step, print_table, results

    columns = ("artifact", "engine", "shape", "scenario", ">value", "of what", "result")
    print_table(columns, [_row(record) for record in result.records])
    for record in result.records:
        for reason in record.reasons:
            results.print(f"INVALID: {record.settings['scenario']}: {reason}", markup=False)
    if any(record.settings["scaled"] for record in result.records):
        results.print("scaled down: shorter than the official 600 s, no result to submit")
    print_left_out(result.left_out)
    print_step(f"records: {result.path}; LoadGen's own files: {result.logs}")


def _row(record: "Measurement") -> tuple[str, ...]:
    settings = record.settings
    value, what = float(str(settings["value"])), str(settings["metric"])
    shown = f"{value * 1e3:.2f}" if "seconds" in what else f"{value:.1f}"
    at = f" at {float(str(settings['target_rate'])):.0f}/s" if "target_rate" in settings else ""
    return (
        str(settings["artifact"]),
        str(settings["runtime"]),
        f"{settings['instances']}x{settings['threads']}",
        f"{settings['scenario']}{at}",
        shown,
        what.replace("seconds", "ms"),
        "VALID" if record.valid else "INVALID",
    )
