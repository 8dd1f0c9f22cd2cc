import os
from pathlib import Path

import pytest

from measuring.activity import Activity, activity, shares, total
from measuring.cores import affinity

TICKS = os.sysconf("SC_CLK_TCK")


def write_tables(proc: Path, core: int) -> None:
    """One core we may use and one we may not, and a process with brackets in its name."""
    others = max(affinity()) + 1
    (proc / "7").mkdir(parents=True)
    (proc / "stat").write_text(
        f"cpu  1 1 1 1 1 1 1 1 0 0\n"
        f"cpu{core} 100 10 20 999 999 3 4 50 0 0\n"
        f"cpu{others} 5000 0 0 0 0 0 0 0 0 0\nintr 1\n"
    )
    fields = ["S", *["0"] * 10, "30", "12", *["0"] * 5]
    (proc / "7" / "stat").write_text(f"7 (a (b) c) {' '.join(fields)}\n")


def test_activity_counts_the_cores_we_may_use_and_our_processes(tmp_path: Path) -> None:
    write_tables(tmp_path, affinity()[0])
    found = activity([7, 8], proc=tmp_path)  # 8 has ended
    assert found == Activity(busy=137 / TICKS, stolen=50 / TICKS, own=42 / TICKS)


@pytest.mark.parametrize("text", ["", "cpu0 words\n", None])
def test_activity_where_the_kernel_does_not_say_is_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "stat").write_text(text)
    assert activity([], proc=tmp_path) is None


def test_activity_of_this_process_rises_with_its_work() -> None:
    before = activity([os.getpid()])
    if before is None:
        pytest.skip("the kernel does not show /proc/stat")
    while (after := activity([os.getpid()])) and after.own - before.own < 0.05:
        sum(range(100_000))
    assert after is not None
    assert after.own > before.own


def test_shares_leave_out_what_is_ours() -> None:
    spans = [(Activity(10, 0, 4), Activity(14, 1, 6)), (Activity(20, 1, 6), Activity(21, 1, 7))]
    passed = total(spans)
    assert passed == Activity(busy=5, stolen=1, own=3)
    found = shares(passed, seconds=5.0, cores=2)
    assert (found.others, found.stolen) == (0.2, 0.1)


def test_shares_never_fall_below_nothing() -> None:
    """The kernel's counters are coarse: ours may seem to exceed all."""
    assert shares(Activity(1.0, 0.0, 1.1), seconds=1.0, cores=1).others == 0.0
