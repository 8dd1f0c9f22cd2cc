from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.bench_pairs import LEVEL, MARGIN, Pair, Pairs, read_pairs, write_pairs
from benchmarks.pages import PUBLISHED, ROOT
from benchmarks.repeatability import agreement, main, told
from measuring.errors import InputError


def pair(faster: str, slower: str, *, significant: bool = True, batch: int = 1) -> Pair:
    p_value = 0.001 if significant else 0.5
    return Pair(batch, faster, slower, 1.5, 1.4, 1.6, p_value, significant=significant)


def pairs(run: str, *members: Pair) -> Pairs:
    return Pairs(run, LEVEL, MARGIN, members)


def test_agreement_counts_what_both_and_what_one_calls() -> None:
    first = pairs(
        "one", pair("a", "b"), pair("a", "c"), pair("b", "c", significant=False), pair("d", "e")
    )
    second = pairs(
        "two",
        pair("a", "b"),
        pair("c", "a", significant=False),
        pair("b", "c", significant=False),
        pair("e", "d", batch=2),
    )
    found = agreement(first, second)
    assert (found.compared, found.both, found.first_only, found.second_only) == (3, 1, 1, 0)
    assert (found.neither, found.against, found.contradictions) == (1, 1, ())


def test_runs_that_contradict_each_other_end_in_exit_code_1(tmp_path: Path) -> None:
    files = [tmp_path / "one.pairs.json", tmp_path / "two.pairs.json"]
    write_pairs(files[0], pairs("one", pair("a", "b")))
    write_pairs(files[1], pairs("two", pair("b", "a")))
    done = CliRunner().invoke(main, list(map(str, files)))
    assert done.exit_code == 1
    assert "contradictions: 1" in done.output
    assert "batch 1: a before b by 1.50, then after it by 1.50" in done.output
    assert CliRunner().invoke(main, [str(files[0])] * 2).exit_code == 0


def test_runs_that_cannot_be_compared_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pair in common"):
        agreement(pairs("one", pair("a", "b")), pairs("two", pair("a", "c")))
    with pytest.raises(InputError, match=r"and margin 0\.03, run two at"):
        agreement(pairs("one"), replace(pairs("two"), margin=0.5))
    done = CliRunner().invoke(main, [str(tmp_path / "a"), str(tmp_path / "b")])
    assert done.exit_code == 2
    assert "cannot be read" in done.stderr


def test_page_has_what_the_published_runs_show() -> None:
    first, second = (read_pairs(it) for it in sorted(PUBLISHED.glob("repeatability/*.json")))
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    found = agreement(first, second)
    assert found.contradictions == ()
    assert [line for line in told(found, first, second) if line not in page] == []
