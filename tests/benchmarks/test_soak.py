import json
from pathlib import Path

import pytest

from benchmarks import soak as soaking
from benchmarks.soak import Reading, Soak, check, soak
from benchmarks.soak_requests import KINDS
from measuring.errors import CheckError
from tests.tiny import write_tiny

ROOT = Path(__file__).parent.parent.parent


def run(repository: Path, requests: int) -> Soak:
    write_tiny(repository)
    return soak(repository, requests=requests, clients=8)


def test_mixed_requests_get_right_answers_and_are_all_counted(tmp_path: Path) -> None:
    """Short: whether memory stays flat takes longer to see."""
    done = run(tmp_path, 1500)

    assert done.wrong == []
    assert {name for name, counts in done.statuses.items() if counts} == set(KINDS)
    assert sum(sum(counts.values()) for counts in done.statuses.values()) == 1500
    assert len(done.readings) > 150
    assert abs(done.growth("files")) < 0.5
    assert soaking.record(done)["wrong"] == {}


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_memory_stays_flat_over_50_000_requests(tmp_path: Path) -> None:
    check(run(tmp_path, 50_000))


def made_up(*resident: int) -> Soak:
    done = Soak(requests=100, clients=1)
    done.readings = [Reading(n, 0.0, size, 20, 5) for n, size in enumerate(resident)]
    return done


def test_growth_is_judged_after_the_warm_up() -> None:
    assert made_up(*[10, 50], *[100] * 8).growth("resident") == 0
    check(made_up(*[10, 50], *[100] * 7, 104))
    with pytest.raises(CheckError, match=r"resident grew by 10\.0%, expected at most 5%"):
        check(made_up(*[10, 50], *[100] * 7, 110))


def test_wrong_answers_fail_the_check() -> None:
    done = made_up(*[100] * 10)
    done.wrong = ["jpeg: 500", "jpeg: 500"]
    with pytest.raises(CheckError, match="2 wrong answers to jpeg: 500"):
        check(done)


def test_published_run_was_flat_and_without_a_wrong_answer() -> None:
    record = json.loads((ROOT / "results/published/soak.json").read_text(encoding="utf-8"))

    assert record["requests"] == 50_000
    assert record["wrong"] == {}
    assert max(record["growth"].values()) <= record["limit"] == soaking.FLAT
    assert sum(sum(counts.values()) for counts in record["statuses"].values()) == 50_000
    security = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    assert f"stood {record['growth']['resident']:.1%}".replace("%", " %") in security
