"""Whether two runs of the same comparison agree on every ordering that they call significant.

    python -m benchmarks.repeatability FIRST.pairs.json SECOND.pairs.json

Exit code 1 where they contradict each other.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.bench_pairs import Pair, Pairs, read_pairs
from measuring.errors import InputError, StrideError


@dataclass(frozen=True)
class Agreement:
    """Pairs of candidates at a batch size that both runs compared: called by `both` the same way,
    by one of them, by `neither`; `contradictions`: called by both, and differently; `against`: of
    those that one calls, how many the other, without calling it, saw the other way round."""

    compared: int
    both: int
    first_only: int
    second_only: int
    neither: int
    against: int
    contradictions: tuple[tuple[Pair, Pair], ...]


def agreement(first: Pairs, second: Pairs) -> Agreement:
    """Raises InputError for runs that have no pair in common or were held to other rules."""
    if (first.level, first.margin) != (second.level, second.margin):
        raise InputError(
            f"run {first.run} was compared at level {first.level} and margin {first.margin}, run "
            f"{second.run} at {second.level} and {second.margin}; measure again"
        )
    there = {_names(pair): pair for pair in second.pairs}
    couples = [(it, there[_names(it)]) for it in first.pairs if _names(it) in there]
    if not couples:
        raise InputError(f"runs {first.run} and {second.run} have no pair in common")
    called = [(one.significant, other.significant) for one, other in couples]
    same = [one.faster == other.faster for one, other in couples]
    return Agreement(
        compared=len(couples),
        both=sum(it == (True, True) and way for it, way in zip(called, same, strict=True)),
        first_only=called.count((True, False)),
        second_only=called.count((False, True)),
        neither=called.count((False, False)),
        against=sum(
            one != other and not way for (one, other), way in zip(called, same, strict=True)
        ),
        contradictions=tuple(
            couple
            for couple, it, way in zip(couples, called, same, strict=True)
            if it == (True, True) and not way
        ),
    )


def told(found: Agreement, first: Pairs, second: Pairs) -> list[str]:
    """Lines for people."""
    lines = [
        f"runs {first.run} and {second.run}: {found.compared} pairs, called significant together "
        f"at {first.level:.0%} (Holm) where they differ by more than {first.margin:.0%}",
        f"both call the same one faster: {found.both}",
        f"only the first calls one: {found.first_only}; only the second: {found.second_only}; "
        f"the other run saw the other one ahead, without calling it, in {found.against} of these",
        f"neither calls one: {found.neither}",
        f"contradictions: {len(found.contradictions)}",
    ]
    return lines + [
        f"batch {one.batch}: {one.faster} before {one.slower} by {one.ratio:.2f}, then after it "
        f"by {other.ratio:.2f}"
        for one, other in found.contradictions
    ]


def _names(pair: Pair) -> tuple[int, frozenset[str]]:
    return pair.batch, frozenset((pair.faster, pair.slower))


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
def main(first: Path, second: Path) -> None:
    """Compare the orderings of two runs of `stride bench`: their .pairs.json files."""
    try:
        one, other = read_pairs(first), read_pairs(second)
        found = agreement(one, other)
    except StrideError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    for line in told(found, one, other):
        click.echo(line)
    sys.exit(1 if found.contradictions else 0)


if __name__ == "__main__":
    main()
