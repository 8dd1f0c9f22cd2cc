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
    """The page, and what is on it as values. `recommendation`: None of load tests alone, whose
    newest is `run` then; otherwise that is of `stride bench`."""

    page: Page
    run: Run
    recommendation: Recommendation | None
    changes: tuple[Change, ...]
    regressions: Regressions | None
    unread: Mapping[str, str]


def compose(results: Results, asked: Asked, stages: Waterfalls, here: Machine) -> Report:
    """From the newest run of `stride bench` on this machine, else on any, and the newest of
    everything else on the same one; of load tests alone where that is all there is. Raises
    MissingError where there are neither, InputError for a run that does not exist."""
    bench = reported_run(results, asked.run, here)
    before = None if asked.against is None else results.named(asked.against, "bench")
    if bench.kind != "bench":
        return _of_load_tests(results, asked, bench, here)
    found = recommend(
        bench.records, asked.requirements, published=asked.published, invalid=asked.invalid
    )
    changed = changes(found)
    earlier = None if before is None else compare_runs(bench, before)
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


def reported_run(results: Results, name: str | None, here: Machine) -> Run:
    """The run of `stride bench` that is reported: the one named, else the newest on this machine,
    else on any; where there is none, the newest load test. Raises as `compose` does."""
    if name:
        return results.named(name, "bench")
    newest = (results.newest(kind, here) for kind in ("bench", LOAD, GOODPUT))
    run = next(filter(None, newest), None)
    if run is None:
        raise MissingError(
            f"no records of stride bench in {results.directory}, so there is nothing to report; "
            "make some with: stride bench --quick"
        )
    return run


def _of_load_tests(results: Results, asked: Asked, run: Run, here: Machine) -> Report:
    """How a service answers, without a decision which one to deploy."""
    driven = _under_load(results, run.machine)
    page = Page(
        title="Load tests",
        made=asked.made,
        version=asked.version,
        card=None,
        sections=[*driven, machine([run], here), reproduce([run], asked.command)],
    )
    return Report(page, run, None, (), None, results.unread)


def _under_load(results: Results, machine: Machine) -> list[Section]:
    """None or one."""
    section = load_tests(results.records(LOAD, machine), results.records(GOODPUT, machine))
    return [] if section is None else [section]


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
    sections += [
        *_under_load(results, machine),
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
