"""A benchmark run from beginning to end: plan, blocks, records, pairs, profile."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench_journal import SUFFIX as JOURNAL
from benchmarks.bench_journal import Journal, read_journal, write_line
from benchmarks.bench_labelled import Labelled, check_labels
from benchmarks.bench_pairs import SUFFIX as PAIRS
from benchmarks.bench_pairs import Pairs, compare_points, write_pairs
from benchmarks.bench_plan import Plan, Sweep, make_plan, manifest_sha256
from benchmarks.bench_points import points
from benchmarks.bench_profile import store_profile
from benchmarks.bench_records import bench_records, fit_records
from benchmarks.bench_run import Watcher, run_plan
from inference.artifact import Artifact, read_artifact
from inference.profiles import read_profile
from measuring.errors import InputError
from measuring.machine import fingerprint
from measuring.record import SUFFIX, Measurement, write_measurements


@dataclass(frozen=True)
class Result:
    """What a run found; `records` are in `path`, `profile` is where the service reads."""

    plan: Plan
    points: tuple[Measurement, ...]
    fits: tuple[Measurement, ...]
    pairs: Pairs
    left_out: dict[str, str]
    path: Path
    profile: Path | None


def begin(artifacts: Sequence[Artifact], sweep: Sweep, output: Path) -> tuple[Path, dict[str, str]]:
    """The journal of a new run, with its plan, and why something asked for is not in it.

    Raises InputError where nothing is left to time or `output` cannot be written.
    """
    plan, left_out = make_plan(artifacts, sweep, machine=fingerprint())
    journal = output / f"{plan.run}{JOURNAL}"
    write_line(journal, plan)
    return journal, left_out


def find_journal(run: str, output: Path) -> Path:
    """Of a run that was interrupted. Raises InputError for one that is not there or was made on
    another machine or of other artifacts."""
    path = output / f"{Path(run).name.removesuffix(JOURNAL)}{JOURNAL}"
    plan, here = read_journal(path).plan, fingerprint()
    if plan.machine.key != here.key or (changed := plan.machine.differences(here)):
        other = ", ".join(changed) if plan.machine.key == here.key else plan.machine.key
        raise InputError(
            f"run {plan.run} was begun on another machine ({other}); start a new one here"
        )
    for identity, sha256 in plan.manifests.items():
        if manifest_sha256(_artifacts(plan)[identity]) != sha256:
            raise InputError(
                f"{identity} was exported again since run {plan.run} was begun; start a new one"
            )
    return path


def carry_out(
    journal_path: Path, profiles: Path, watcher: Watcher, labelled: Labelled | None = None
) -> Result:
    """Measures what is not yet in the journal, and writes records, pairs and profile.

    Raises InputError for pictures of classes that a network does not have, or that come too late,
    and for a profile that is damaged; MissingError where nothing can be opened.
    """
    before = read_journal(journal_path)
    plan = before.plan
    artifacts = _artifacts(plan)
    read_profile(profiles, plan.machine)  # a damaged one is an error before minutes of measuring
    if labelled is not None:
        _require_in_time(labelled, before)
        for artifact in artifacts.values():
            check_labels(labelled, artifact.manifest)
    journal = run_plan(journal_path, watcher, labelled)
    found = points(journal)
    manifests = {identity: artifact.manifest for identity, artifact in artifacts.items()}
    watcher.step("summarise: intervals and pairs")
    records = bench_records(journal, found, manifests)
    fits, pairs = fit_records(records), compare_points(plan.run, found)
    path = journal_path.with_suffix(SUFFIX)
    write_measurements(path, [*records, *fits])
    write_pairs(path.with_suffix(PAIRS), pairs)
    return Result(
        plan=plan,
        points=tuple(records),
        fits=tuple(fits),
        pairs=pairs,
        left_out=journal.left_out,
        path=path,
        profile=store_profile(profiles, journal, found, list(artifacts.values())),
    )


def _require_in_time(labelled: Labelled, journal: Journal) -> None:
    """Accuracy is measured once in a run, while its engines are open."""
    told = journal.accuracy
    if told is not None and told.source != labelled.source:
        raise InputError(
            f"--images: the accuracy of run {journal.plan.run} was {told.source}, received other "
            f"pictures ({labelled.source}); leave --images out, or start a new run"
        )
    if told is None and journal.rounds and len(journal.blocks) >= journal.rounds[0].blocks:
        raise InputError(
            f"--images: run {journal.plan.run} is finished and opens no engine again; start a new "
            "run with --images"
        )


def _artifacts(plan: Plan) -> dict[str, Artifact]:
    """By id, read and checked."""
    directories = {it.artifact: Path(it.directory) for it in plan.candidates}
    return {identity: read_artifact(directory) for identity, directory in directories.items()}
