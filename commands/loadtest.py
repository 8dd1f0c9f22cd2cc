"""`stride loadtest`: drive a running service by batch size and load, and say whether it is fit."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands import options
from measuring.errors import InputError, MissingError

if TYPE_CHECKING:
    from commands.loadtest_run import Kept
    from loadtest.baseline import Compared
    from loadtest.plan import Step
    from loadtest.scenario import Scenario
    from loadtest.service import Model
    from loadtest.target import Target
    from measuring.record import Measurement

_FOLDER = Path("results/loadtest")


@click.command(short_help="Load-test a running service, by batch size, with an SLO to keep.")
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="The service.")
@click.option(
    "--model", multiple=True, show_default="all that are loaded", help="Id or alias; repeatable."
)
@click.option(
    "--batch-sizes",
    show_default="1,2,4,8,16,32; 1,8 with --quick; 1 at a rate, of pictures and in a search",
    help="Pictures of one request.",
)
@click.option(
    "--concurrency",
    show_default="1,4; 4 with --quick",
    help="Clients, each of which asks again as soon as it is answered.",
)
@click.option("--rate", help="Requests per second, whether or not earlier ones were answered.")
@click.option("--search", is_flag=True, help="Find the highest Poisson rate that keeps the --slo.")
@click.option(
    "--body",
    type=click.Choice(["pixels", "jpeg", "png"]),
    show_default="pixels",
    help="What requests carry: tensors over /v2, or encoded pictures.",
)
@click.option(
    "--seconds",
    type=float,
    show_default="5, or what the SLO's percentile needs at a --rate; 2 with --quick",
    help="Of each point that count.",
)
@click.option(
    "--warm-up", type=float, show_default="1; 0.5 with --quick", help="Seconds before that do not."
)
@click.option("--processes", type=int, show_default="1", help="That make the load.")
@click.option(
    "--arrivals",
    type=click.Choice(["poisson", "constant", "loadgen"]),
    show_default="poisson",
    help="At a --rate: as independent clients come, evenly, or as MLCommons LoadGen says, which "
    "judges the run, too, by the SLO's p99 or 15 ms.",
)
@click.option(
    "--slo", help="Bounds that every point has to keep: p99=20ms,errors=0.1%,throughput=200."
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Records (.jsonl) of an earlier load test to be no worse than.",
)
@click.option(
    "--scenario",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A gate of your own, as TOML: points, loads, SLOs and right answers.",
)
@click.option("--invalid", is_flag=True, help="Let points marked INVALID decide, too.")
@click.option(
    "--csv",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the points as perf_analyzer does.",
)
@click.option("--quick", is_flag=True, help="A short honest run: fewer points, less time.")
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=_FOLDER,
    show_default=True,
    help="Folder of the records.",
)
@click.option("--grafana", help="Mark the test there, with the token in STRIDE_GRAFANA_TOKEN.")
@click.option(
    "--api-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the key of a service that asks for one; else STRIDE_API_KEY.",
)
@options.as_json
def command(**values: Any) -> int:
    """Measure each model, batch size and load: images per second, latency percentiles, errors, the
    service's own stages, processor time and memory. Answers are checked, not only their status;
    latencies count from when a request was due; a point whose limit was the load's maker instead
    of the service is INVALID. docs/loadtest.md says how.

    Exit code 0 if all is well; 1 if a bound of the --slo breaks, a figure is worse than in the
    --baseline beyond noise, or answers are wrong; 2 for wrong usage, such as a model that is not
    loaded; 3 if nobody answers; 130 if interrupted, by SIGTERM too, with what was measured kept.

    \b
    stride loadtest --url http://127.0.0.1:8000 --batch-sizes 1,2,4,8,16,32
    stride loadtest --rate 50,100 --body jpeg --slo p99=20ms,errors=0.1%
    stride loadtest --model small --search --slo p99=20ms
    stride loadtest --scenario gate.toml --baseline results/loadtest/20260131-120000-1a2b.jsonl
    """
    from commands import loadtest_options, loadtest_run
    from loadtest.baseline import read_baseline
    from loadtest.content import check_contents
    from loadtest.perf_analyzer_csv import require_writable
    from loadtest.plan import steps

    scenario, where = loadtest_options.scenario(values), loadtest_options.target(values)
    annotation = loadtest_options.annotation(values)
    before = read_baseline(values["baseline"]) if values["baseline"] else ()
    plan = steps(scenario.points, _loaded(scenario, where), where)
    _require_shared(plan, before, values["baseline"])
    if values["csv"] is not None:
        require_writable(values["csv"])
    check_contents(scenario.contents, where)
    kept = loadtest_run.Kept(values["results"])
    about = f"stride loadtest {scenario.title or kept.run.name}"
    named = list(dict.fromkeys(step.target.model for step in plan))
    with loadtest_run.terminable(), loadtest_run.annotated(annotation, about, named) as mark:
        try:
            loadtest_run.measure(plan, kept, invalid=values["invalid"])
        except BaseException:
            _tell(kept, values, None, complete=False)
            raise
        compared = _compared(kept, before, values) if before else None
        failures = _tell(kept, values, compared)
        mark.text = f"FAILED ({len(failures)}): {failures[0]}" if failures else "passed"
    return 1 if failures else 0


def _loaded(scenario: "Scenario", where: "Target") -> "Sequence[Model]":
    """All models of the service; of one that has no list of them, only /v2, those that are named.

    Raises MissingError where there are none, and what asking for them raises.
    """
    from loadtest.service import read_model, read_models

    named = [name for point in scenario.points for name in point.models]
    try:
        models = read_models(where.url, api_key=where.api_key)
    except InputError:
        if not all(point.models for point in scenario.points):
            raise
        return [read_model(where.url, name, api_key=where.api_key) for name in dict.fromkeys(named)]
    if not models:
        raise MissingError(
            f"no model is loaded at {where.url}; wait until {where.url}/readyz answers 200"
        )
    return models


def _require_shared(
    plan: "Sequence[Step]", before: "Sequence[Measurement]", baseline: Path | None
) -> None:
    """Told before anything is measured. Raises InputError where nothing could be compared."""
    from commands.output import print_step
    from loadtest.baseline import missing

    absent = missing(plan, before) if before else ()
    if absent and len(absent) == len(plan):
        raise InputError(
            f"--baseline {baseline} has none of the points that are asked for, such as "
            f"{absent[0]}; ask for the same models, batch sizes, bodies and loads as it has"
        )
    for name in absent:
        print_step(f"not in the baseline, so not compared: {name}")


def _compared(kept: "Kept", before: "Sequence[Measurement]", values: dict[str, Any]) -> "Compared":
    from loadtest.baseline import compare

    return compare(kept.records, before, invalid=values["invalid"])


def _tell(
    kept: "Kept", values: dict[str, Any], compared: "Compared | None", *, complete: bool = True
) -> tuple[str, ...]:
    """All that was measured, where it is kept, and why the test is not passed."""
    from commands.loadtest_document import document
    from commands.loadtest_tables import print_failures, print_results
    from commands.output import print_json, print_step
    from loadtest.gate import failures
    from loadtest.perf_analyzer_csv import write_csv

    why = failures(kept.results, compared)
    if not kept.results:
        return why
    if values["csv"] is not None:
        write_csv(values["csv"], kept.points)
    if values["as_json"]:
        print_json(document(kept, compared, why, complete=complete))
    else:
        print_results(kept.results, compared)
    print_failures(kept.results, why, complete=complete)
    if kept.records:
        print_step(f"records: {kept.path}")
    if values["csv"] is not None:
        print_step(f"csv: {values['csv']}")
    return why
