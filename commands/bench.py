"""`stride bench`: which artifact, runtime, shape and batch size answers how fast here."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands import bench_loadgen, options
from measuring.errors import InputError

if TYPE_CHECKING:
    from benchmarks.bench import Result
    from benchmarks.bench_plan import Sweep
    from inference.artifact import Artifact


def _numbers(
    context: click.Context, option: click.Parameter, value: str | None
) -> tuple[int, ...] | None:
    """`1,2,4` -> (1, 2, 4); None stays None."""
    if value is None:
        return None
    parts = options.comma_separated(context, option, value)
    if wrong := [part for part in parts if not part.isdecimal()]:
        raise InputError(f"{option.opts[0]} {value!r}: {wrong[0]!r} is no number; expected 1,2,4")
    return tuple(int(part) for part in parts)


def _loadgen_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(bench_loadgen.OPTIONS):
        command = option(command)
    return command


@click.command(short_help="Time artifacts against one another on this machine.")
@click.argument("artifacts", metavar="[ARTIFACT...]", nargs=-1)
@click.option(
    "--runtime",
    default="auto",
    show_default=True,
    callback=options.comma_separated,
    help="Runtimes, separated by commas; auto: all that are installed.",
)
@click.option(
    "--batch-sizes",
    callback=_numbers,
    show_default="1,2,4,8,16; 1,2,4,8 with --quick",
    help="Pictures of one call.",
)
@click.option(
    "--threads", callback=_numbers, show_default="cores / instances", help="Of each instance."
)
@click.option(
    "--instances",
    callback=_numbers,
    show_default="1, and one per core; 1 with --quick",
    help="Engines busy at once.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Labelled pictures to measure accuracy on: a subfolder for each class, or a .csv table.",
)
@click.option(
    "--percentile",
    default=None,
    show_default="p90; p50 with --quick",
    help="The highest latency percentile to claim: p50, p90, p95, p99 or p99.9.",
)
@click.option("--quick", is_flag=True, help="A short honest run: fewer, shorter, wider intervals.")
@click.option("--resume", metavar="RUN", help="Go on with a run that was interrupted.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results/bench"),
    show_default=True,
    help="Folder for records and journals.",
)
@_loadgen_options
@options.repository
@options.profiles
@options.as_json
def command(artifacts: tuple[str, ...], **values: Any) -> int:
    """Time artifacts in interleaved blocks of random order, so that what the machine does besides
    falls on all alike: images per second with intervals, latencies, memory, cold start, energy
    where it can be read, accuracy on your pictures, and T(b) = t0 + a b of every engine.

    ARTIFACT is an id or plain name in the repository; without any, all are timed. Differences are
    called so only where they hold together at 1 % (Holm); ties are called ties. The machine's
    profile is kept for `stride serve`. docs/benchmarks.md says what VALID means.

    \b
    stride bench --quick
    stride bench fasternet_t0 --runtime onnxruntime,openvino --instances 1,2 --threads 1
    stride bench --images photos/ --percentile p99
    stride bench fasternet_t0 --runtime openvino --loadgen
    """
    from benchmarks.bench import begin, carry_out, find_journal
    from benchmarks.bench_labelled import labelled_pictures
    from commands.bench_progress import watching
    from commands.bench_tables import document, print_left_out, print_result
    from commands.output import print_json

    if values["loadgen"] or values["loadgen_full"]:
        bench_loadgen.refuse_besides(values)
        chosen = _chosen(values["repository"], artifacts)
        return bench_loadgen.drive(chosen, _sweep(values), values)
    labelled = None if values["images"] is None else labelled_pictures(values["images"])
    left_out: dict[str, str] = {}
    if values["resume"] is not None:
        _refuse_besides_resume(artifacts, values)
        journal = find_journal(values["resume"], values["output"])
    else:
        chosen = _chosen(values["repository"], artifacts)
        journal, left_out = begin(chosen, _sweep(values), values["output"])
        print_left_out(left_out)
    with watching(journal.stem) as watcher:
        result: Result = carry_out(journal, values["profiles"], watcher, labelled)
    if values["as_json"]:
        print_json(document(result, left_out))
    else:
        print_result(result)
    return 0


def _sweep(values: dict[str, Any]) -> "Sweep":
    from benchmarks.bench_plan import BATCHES, FULL, QUICK, QUICK_BATCHES, Sweep

    effort = QUICK if values["quick"] else FULL
    if values["percentile"] is not None:
        effort = replace(effort, percentile=values["percentile"])
    return Sweep(
        batches=values["batch_sizes"] or (QUICK_BATCHES if values["quick"] else BATCHES),
        runtimes=values["runtime"],
        threads=values["threads"],
        instances=values["instances"],
        effort=effort,
    )


def _chosen(repository: Path, names: tuple[str, ...]) -> "list[Artifact]":
    """Those named, each once; without names, all that can be read, and a line for the others."""
    from commands.bench_tables import print_left_out
    from inference.artifact import Artifact, find_artifacts, named_artifact

    if names:
        named = (named_artifact(repository, name) for name in names)
        return list({artifact.manifest.id: artifact for artifact in named}.values())
    found = find_artifacts(repository)
    whole = [it.artifact for it in found if isinstance(it.artifact, Artifact)]
    print_left_out({it.id: str(it.artifact) for it in found if it.artifact not in whole})
    if not whole:
        raise InputError(
            f"no artifact in {repository}; make one with `stride export NETWORK`, or name another "
            "folder with --repository"
        )
    return whole


def _refuse_besides_resume(artifacts: tuple[str, ...], values: dict[str, Any]) -> None:
    """A run goes on as it was begun."""
    named = [
        f"--{it.replace('_', '-')}" for it in ("batch_sizes", "threads", "instances") if values[it]
    ]
    named += [f"--{it}" for it in ("percentile", "quick") if values[it]]
    named += [*artifacts, *(["--runtime"] if values["runtime"] != ("auto",) else [])]
    if named:
        raise InputError(
            f"--resume {values['resume']} goes on as the run was begun, received "
            f"{', '.join(named)} besides; leave that out, or start a new run"
        )
