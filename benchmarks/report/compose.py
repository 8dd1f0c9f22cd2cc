"""A report from results and requirements: what it says, before it is written anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.recommend import Recommendation, recommend
from benchmarks.recommend_changes import Change, changes
from benchmarks.recommend_choices import Published
from benchmarks.recommend_requirements import Requirements
from benchmarks.report.borrowed import CLAIMS, borrowed
from benchmarks.report.card import card, machine_name
from benchmarks.report.curves import curves
from benchmarks.report.load_tests import GOODPUT, LOAD, load_tests
from benchmarks.report.page import Page
from benchmarks.report.pareto import pareto
from benchmarks.report.regressions import Regressions, compare_runs, regressions
from benchmarks.report.results import Results, Run
from benchmarks.report.section import Section
from benchmarks.report.served import loadgen, served
from benchmarks.report.surroundings import caveats, machine, reproduce
from benchmarks.report.waterfall import Waterfalls, waterfall
from measuring.errors import MissingError
from measuring.machine import Machine

KINDS = frozenset(
    {"fit", "loadgen", "stage", "serving", LOAD, GOODPUT, "layer", "peak", "operator"}
)
"""Of the records that a page shows, beside those of `stride bench` and of the claims."""


@dataclass(frozen=True)
class Asked:
    """What the report is to answer; `notes` go on the card, `command` is how it was asked for;
    `run`: one by its name instead of the newest; `against`: an earlier one; `invalid`: use records
    marked INVALID too."""

    requirements: Requirements
    published: Mapping[str, Published]
    command: str
    version: str
    made: str
    run: str | None = None
    against: str | None = None
    invalid: bool = False
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Report:
    """The page, and what is on it as values."""

    page: Page
    run: Run
    recommendation: Recommendation
    changes: tuple[Change, ...]
    regressions: Regressions | None
    unread: Mapping[str, str]


def compose(results: Results, asked: Asked, stages: Waterfalls, here: Machine) -> Report:
    """From the newest run of `stride bench` on this machine, else on any, and the newest of
    everything else on the same one. Raises MissingError where `stride bench`
    has left no records, InputError for a run that does not exist."""
    bench = bench_run(results, asked.run, here)
    found = recommend(
        bench.records, asked.requirements, published=asked.published, invalid=asked.invalid
    )
    changed = changes(found)
    earlier = None
    if asked.against is not None:
        earlier = compare_runs(bench, results.named(asked.against, "bench"))
    there = "this machine" if bench.machine.key == here.key else machine_name(bench.machine)
    sections = _sections(results, found, bench, stages)
    sections += [
        regressions(earlier, [run for run in results.runs if run.kind == "bench"]),
        *_surroundings(results, found, bench, asked, here),
    ]
    page = Page(
        title="Which network to deploy",
        made=asked.made,
        version=asked.version,
        card=card(found, changed, bench.records, there, asked.notes),
        sections=sections,
    )
    return Report(page, bench, found, changed, earlier, results.unread)


def bench_run(results: Results, name: str | None, here: Machine) -> Run:
    """The run of `stride bench` that is reported: the one named, else the newest on this machine,
    else on any. Raises as `compose` does."""
    run = results.named(name, "bench") if name else results.newest("bench", here)
    if run is None:
        raise MissingError(
            f"no records of stride bench in {results.directory}, so there is nothing to report; "
            "make some with: stride bench --quick"
        )
    return run


def _sections(
    results: Results, found: Recommendation, bench: Run, stages: Waterfalls
) -> list[Section]:
    machine = bench.machine
    fits = [
        record
        for run in results.runs
        if run.kind == "fit" and run.name == bench.name
        for record in run.records
    ]
    sections = [pareto(found), curves(bench.records, fits)]
    if (scenarios := loadgen(results.records("loadgen", machine))) is not None:
        sections.append(scenarios)
    driven = load_tests(results.records(LOAD, machine), results.records(GOODPUT, machine))
    if driven is not None:
        sections.append(driven)
    sections += [
        waterfall(stages),
        served(results.records("serving", machine)),
        *borrowed(results, machine),
    ]
    return sections


def _surroundings(
    results: Results, found: Recommendation, bench: Run, asked: Asked, here: Machine
) -> list[Section]:
    """The runs that the page was made of, that of `stride bench` first."""
    shown = (run.kind for run in results.runs if run.kind in KINDS or run.kind.startswith(CLAIMS))
    newest = [results.newest(kind, bench.machine) for kind in dict.fromkeys(shown)]
    runs = [bench, *(it for it in newest if it and it.machine.key == bench.machine.key)]
    return [machine(runs, here), caveats(found, results), reproduce(runs, asked.command)]
