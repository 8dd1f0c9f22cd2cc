"""`stride report`: which network to deploy on this machine, and why, as a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands import options
from commands.report_options import RATE, RESULTS, SLO
from measuring.errors import InputError, MissingError

if TYPE_CHECKING:
    from benchmarks.recommend_choices import Published
    from benchmarks.report.compose import Report
    from benchmarks.report.regressions import Regressions
    from benchmarks.report.section import Card


@click.command(short_help="Say which network to deploy on this machine, and why.")
@click.option(
    "--results",
    "directory",
    type=click.Path(path_type=Path),
    default=RESULTS,
    show_default=True,
    help="Folder of the records; the newest run of each kind is used.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("results/report.html"),
    show_default=True,
    help="The page to write; Markdown goes beside it, as .md.",
)
@click.option("--slo", show_default=SLO, help="Latency that requests must keep.")
@click.option(
    "--rate", type=float, show_default=f"{RATE:g}", help="Requests per second, one image each."
)
@click.option("--accuracy", help="The least top-1 accuracy, such as 75%.")
@click.option("--memory", help="The most memory, such as 500MB.")
@click.option("--device", "devices", multiple=True, help="Only this device; repeatable.")
@click.option(
    "--prefer",
    type=click.Choice(["accuracy", "speed"]),
    default="accuracy",
    show_default=True,
    help="What decides between options that meet everything.",
)
@click.option("--run", metavar="RUN", show_default="the newest", help="A run of stride bench.")
@click.option("--against", metavar="RUN", help="An earlier run of stride bench to compare with.")
@click.option("--invalid", is_flag=True, help="Use records marked INVALID, too.")
@options.as_json
def command(directory: Path, output: Path, **values: Any) -> int:
    """Read the records under results/ and write one page that needs no network: the decision
    first, then accuracy against speed, batch sizes, rooflines, a request's waterfall, claims,
    regressions, the machine and how to do it again. Where there are load tests alone, the page is
    of these.

    Exit code 1 if nothing meets the --slo, --rate, --accuracy, --memory or --device asked for, or
    if the run given with --against was faster; 3 if there are no records.

    \b
    stride report --slo p99=20ms --rate 200
    stride report --slo p95=8ms --accuracy 75% --prefer speed
    stride report --against 20260131-120000-1a2b
    """
    from commands import report_options
    from commands.output import print_json

    report_options.requirements(values, 0.0)  # its mistakes are told before files are read
    _require_suffix(output)
    report = _compose(directory, values)
    written = _write(report, output)
    if values["as_json"]:
        from benchmarks.report.document import document

        print_json({**document(report), "files": [str(path) for path in written]})
    else:
        _print(report, written)
    found = report.recommendation
    failed = report_options.asked_for(values) and (found is None or found.chosen is None)
    slower = report.regressions is not None and bool(report.regressions.slower)
    return 1 if failed or slower else 0


def _compose(directory: Path, values: dict[str, Any]) -> "Report":
    from importlib.metadata import version

    from commands import report_options
    from measuring.machine import fingerprint
    from measuring.record import now

    try:
        from benchmarks.report.compose import Asked, compose, reported_run
        from benchmarks.report.results import read_results
        from benchmarks.report.waterfall import around, waterfalls
    except ModuleNotFoundError as error:
        if error.name not in ("jinja2", "markupsafe", "matplotlib"):
            raise
        raise MissingError(
            f"stride report needs {error.name}, which is not installed; "
            'install it with: pip install "stride[bench]"'
        ) from error
    here, results = fingerprint(), read_results(directory)
    machine = reported_run(results, values["run"], here).machine
    stages = waterfalls(results.records("stage", machine), directory)
    asked = Asked(
        requirements=report_options.requirements(values, around(stages)),
        published=_published(),
        command=report_options.command_line(values, directory),
        version=version("stride"),
        made=now(),
        run=values["run"],
        against=values["against"],
        invalid=values["invalid"],
        notes=report_options.assumptions(values),
    )
    return compose(results, asked, stages, here)


def _published() -> "dict[str, Published]":
    """Every published checkpoint's accuracy; none where torch, which the table of networks needs,
    is not installed."""
    from benchmarks.recommend_choices import Published

    try:
        from models.weights import WEIGHTS
    except ModuleNotFoundError:
        return {}
    return {name: Published(row.top1, row.sha256_prefix) for name, row in WEIGHTS.items()}


def _require_suffix(output: Path) -> None:
    if output.suffix not in (".html", ".htm"):
        raise InputError(
            f"--output {output} is no name for a page, expected one that ends in .html; the "
            "Markdown goes beside it"
        )


def _write(report: "Report", output: Path) -> tuple[Path, Path]:
    """Each file whole or not at all."""
    from benchmarks.report.page import html, markdown

    beside = output.with_suffix(".md")
    for path, text in ((output, html(report.page)), (beside, markdown(report.page))):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f"{path.name}.partial")
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        except OSError as error:
            raise InputError(
                f"{path} cannot be written ({error.strerror}); choose another place with --output"
            ) from error
    return output, beside


def _print(report: "Report", written: tuple[Path, Path]) -> None:
    """The card; the rest is on the page."""
    from commands.output import print_step

    if report.page.card is None:
        print_step("load tests alone: which network to deploy takes records of stride bench")
    else:
        _print_decision(report.page.card, report.regressions)
    for name, why in report.unread.items():
        print_step(f"not read: {name}: {why}")
    print_step(f"written: {written[0]} and {written[1].name}")


def _print_decision(card: "Card", regressions: "Regressions | None") -> None:
    from commands.output import print_step, print_table, results

    results.print(card.question, markup=False, soft_wrap=True)
    results.print(f"  {card.headline}", style="bold", markup=False, soft_wrap=True)
    for line in card.why:
        results.print(f"  - {line}", markup=False, soft_wrap=True)
    if card.ties:
        results.print(f"  Ties: {'; '.join(card.ties)}", markup=False, soft_wrap=True)
    if card.changes:
        results.print()
        print_table(("what would change it", "then"), card.changes)
    if regressions is not None:
        _print_regressions(regressions)
    if card.command:
        results.print(f"\n  {card.command}", markup=False, soft_wrap=True)
    for note in card.notes:
        print_step(note)


def _print_regressions(found: "Regressions") -> None:
    """The ten worst; all are on the page."""
    from commands.output import results

    results.print()
    for it in found.slower[:10]:
        line = f"SLOWER by {1.0 - it.speed:.1%}: {it.name}, batch {it.batch}"
        results.print(line, markup=False, soft_wrap=True)
    count = f"{len(found.slower)} of {len(found.differences)} options are slower"
    drift = f"the median option changed by {found.drift - 1.0:+.1%}"
    results.print(f"{count} than in {found.before.name}; {drift}", markup=False, soft_wrap=True)
