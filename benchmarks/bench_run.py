"""Carries a plan out: engines in processes of their own, visited in blocks in random order."""

import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from benchmarks.bench_journal import Accuracy, Block, Journal, Round, read_journal, write_line
from benchmarks.bench_labelled import Labelled, top1_accuracy
from benchmarks.bench_messages import Opened, Request, Visited, VisitRequest
from benchmarks.bench_plan import Candidate, Plan
from benchmarks.bench_process import CandidateError, EngineProcess
from inference.artifact import read_artifact
from measuring.caches import random_pictures
from measuring.calibration import calibrate
from measuring.errors import MissingError
from measuring.gpu import gpu_states
from measuring.memory import available_memory

RESERVE = 1 << 30
"""Bytes of memory that stay free; with less, no further engines are opened."""
VISIT_OVERHEAD = 0.004
"""Seconds of a visit besides its calls."""


class Watcher(Protocol):
    """Whoever wants to know how far it is."""

    def step(self, text: str) -> None:
        """Something begins."""

    def expect(self, seconds: float) -> None:
        """So much is ahead."""

    def done(self, seconds: float) -> None:
        """So much of it is behind."""


@dataclass(frozen=True)
class _Open:
    candidate: Candidate
    process: EngineProcess
    facts: Opened

    @property
    def batches(self) -> list[int]:
        return sorted(self.facts.seconds)


def run_plan(journal_path: Path, watcher: Watcher, labelled: Labelled | None = None) -> Journal:
    """Does what the journal's plan has and the journal has not yet; returns all of it.

    Raises MissingError where no candidate can be opened.
    """
    journal = read_journal(journal_path)
    plan = journal.plan
    with tempfile.TemporaryDirectory() as folder:
        pictures = write_pictures(plan, Path(folder))
        for number in range(plan.effort.rounds):
            if journal.blocks and _all_done(journal, number):
                continue
            with ExitStack() as stack:
                opened, round_ = _open_all(journal, number, pictures, watcher, stack)
                write_line(journal_path, round_)
                if labelled is not None and journal.accuracy is None:
                    watcher.step("accuracy: on your pictures")
                    write_line(journal_path, _accuracy(opened, labelled, Path(folder)))
                _blocks(journal_path, opened, round_, watcher)
            journal = read_journal(journal_path)
    return journal


def blocks_of(number: int, *, blocks: int, rounds: int) -> range:
    """The numbers of the blocks of a round."""
    return range(number * blocks // rounds, (number + 1) * blocks // rounds)


def _all_done(journal: Journal, number: int) -> bool:
    done = {block.number for block in journal.blocks}
    blocks = blocks_of(number, blocks=journal.rounds[0].blocks, rounds=journal.plan.effort.rounds)
    return done.issuperset(blocks)


def _open_all(
    journal: Journal,
    number: int,
    pictures: Mapping[str, Path],
    watcher: Watcher,
    stack: ExitStack,
) -> tuple[list[_Open], Round]:
    """One after the other, so that each starts on an idle machine."""
    plan = journal.plan
    opened: list[_Open] = []
    left_out: dict[str, str] = {}
    candidates = [it for it in plan.candidates if it.key not in journal.left_out]
    for candidate in candidates:
        watcher.step(f"open: {candidate.key}")
        try:
            opened.append(_open(candidate, plan, pictures[candidate.artifact], stack))
        except CandidateError as error:
            left_out[candidate.key] = str(error)
    if not opened:
        reasons = "; ".join(f"{key}: {reason}" for key, reason in left_out.items())
        raise MissingError(f"nothing could be opened: {reasons or 'all failed before'}")
    blocks = journal.rounds[0].blocks if journal.rounds else _affordable(plan, opened)
    facts = {it.candidate.key: it.facts for it in opened}
    return opened, Round(number, blocks, facts, left_out)


def _open(candidate: Candidate, plan: Plan, pictures: Path, stack: ExitStack) -> _Open:
    free = available_memory()
    if free is not None and free < RESERVE:
        raise CandidateError(
            f"only {free / 1e9:.1f} GB of memory is free, and {RESERVE / 1e9:.1f} GB are kept "
            "free; measure fewer artifacts, runtimes or instances at once"
        )
    process = stack.enter_context(EngineProcess(candidate, plan.batches, pictures))
    answer = process.ask(Request(open=process.request))
    if answer.opened is None or not answer.opened.seconds:
        raise CandidateError("it takes none of these batch sizes")
    return _Open(candidate, process, answer.opened)


def _affordable(plan: Plan, opened: Sequence[_Open]) -> int:
    """All the blocks of the plan, or as many as its budget has time for."""
    effort = plan.effort
    if effort.budget is None:
        return effort.blocks
    one = _seconds_of_block(opened, plan.visit(effort.blocks))
    return max(min(effort.fewest, effort.blocks), min(effort.blocks, int(effort.budget / one)))


def _seconds_of_block(opened: Sequence[_Open], visit: VisitRequest) -> float:
    return sum(
        _seconds_of_visit(seconds, visit)
        for entry in opened
        for seconds in entry.facts.seconds.values()
    )


def _seconds_of_visit(call: float, visit: VisitRequest) -> float:
    runs = max(visit.runs, math.ceil(visit.seconds / call))
    return (runs + visit.settle) * call + VISIT_OVERHEAD


def _blocks(path: Path, opened: Sequence[_Open], round_: Round, watcher: Watcher) -> None:
    """Those of this round that are not in the journal; what is ahead is that of all rounds."""
    plan = read_journal(path).plan
    done = {block.number for block in read_journal(path).blocks}
    numbers = blocks_of(round_.number, blocks=round_.blocks, rounds=plan.effort.rounds)
    ahead = [number for number in numbers if number not in done]
    visit = plan.visit(round_.blocks)
    left = round_.blocks - len(done)
    watcher.expect(left * _seconds_of_block(opened, visit))
    alive = list(opened)
    for number in ahead:
        block = _block(plan, number, round_, alive, watcher)
        write_line(path, block)
        alive = [entry for entry in alive if entry.candidate.key not in block.left_out]
        if not alive:
            raise MissingError(f"every candidate failed, the last: {block.left_out}")


def _block(
    plan: Plan, number: int, round_: Round, alive: Sequence[_Open], watcher: Watcher
) -> Block:
    rng = np.random.Generator(np.random.PCG64([plan.seed, number]))
    points = [(entry, batch) for entry in alive for batch in entry.batches]
    visits: dict[str, dict[int, Visited]] = {entry.candidate.key: {} for entry in alive}
    left_out: dict[str, str] = {}
    throttled = 0
    calibration = calibrate()
    for index in rng.permutation(len(points)):
        entry, batch = points[index]
        key, visit = entry.candidate.key, replace(plan.visit(round_.blocks), batch=batch)
        if key in left_out:
            continue
        try:
            visited = entry.process.ask(Request(visit=visit)).visited
        except CandidateError as error:
            left_out[key] = str(error)
            continue
        if visited is not None:
            visits[key][batch] = visited
        throttled |= _throttle_reasons()
        watcher.done(_seconds_of_visit(entry.facts.seconds[batch], visit))
    for key in left_out:
        del visits[key]
    return Block(
        number=number,
        round=round_.number,
        visits=visits,
        calibration=calibration,
        load=os.getloadavg()[0],
        throttle_reasons=throttled,
        left_out=left_out,
    )


def _throttle_reasons() -> int:
    reasons = 0
    for state in gpu_states():
        reasons |= state.throttle_reasons or 0
    return reasons


def write_pictures(plan: Plan, folder: Path) -> dict[str, Path]:
    """Random pictures of the size of each artifact, by its id; those of one size are shared."""
    files: dict[str, Path] = {}
    for candidate in plan.candidates:
        if candidate.artifact in files:
            continue
        size = read_artifact(Path(candidate.directory)).manifest.input.size
        path = folder / f"{size}.npy"
        if not path.exists():
            np.save(path, random_pictures(size, at_least=max(plan.batches), seed=plan.seed))
        files[candidate.artifact] = path
    return files


def _accuracy(opened: Sequence[_Open], labelled: Labelled, folder: Path) -> Accuracy:
    """Once for each artifact, runtime and device: shapes do not change answers."""
    found: dict[str, float] = {}
    for entry in _first_of_each_way(opened):
        candidate = entry.candidate
        found[_way(candidate)] = top1_accuracy(
            labelled, read_artifact(Path(candidate.directory)).manifest, entry.process, folder
        )
    top1 = {it.candidate.key: found[_way(it.candidate)] for it in opened}
    return Accuracy(top1, labelled.source)


def _first_of_each_way(opened: Sequence[_Open]) -> Iterator[_Open]:
    yield from {_way(it.candidate): it for it in reversed(opened)}.values()


def _way(candidate: Candidate) -> str:
    return f"{candidate.artifact} {candidate.runtime} {candidate.device}"
