"""Who used the cores while a service was driven on them."""

import pytest

from loadtest import other_load
from loadtest.other_load import Glance, glance, others
from loadtest.target import Target
from measuring.activity import Activity

HERE = Target("http://127.0.0.1:8000", model="small")
BEFORE = Glance(Activity(busy=100.0, stolen=1.0, own=0.0), own=5.0, at=10.0)
AFTER = Glance(Activity(busy=112.0, stolen=2.0, own=0.0), own=7.0, at=20.0)
"""Ten seconds: 12 of processor time used, 2 of them by us, and 1 taken by the hypervisor."""


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_load, "affinity", lambda: (0, 1))
    monkeypatch.setattr(other_load, "cpu_quota", lambda: None)


def test_what_neither_we_nor_the_service_took_is_others() -> None:
    assert others(BEFORE, AFTER, HERE, 6.0) == pytest.approx((12 - 2 - 6 + 1) / 20)
    assert others(BEFORE, AFTER, HERE, 60.0) == pytest.approx(1 / 20)


def test_nobody_can_say_of_a_service_elsewhere_or_one_that_does_not_tell() -> None:
    elsewhere = Target("http://192.0.2.1:8000", model="small")

    assert others(BEFORE, AFTER, elsewhere, 6.0) is None
    assert others(BEFORE, AFTER, HERE, None) is None
    assert others(Glance(None, 0.0, 0.0), AFTER, HERE, 6.0) is None


def test_nobody_can_say_under_a_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_load, "cpu_quota", lambda: 2.0)

    assert others(BEFORE, AFTER, HERE, 6.0) is None


def test_glances_go_on() -> None:
    first, second = glance(), glance()

    assert second.at >= first.at
    assert second.own >= first.own
