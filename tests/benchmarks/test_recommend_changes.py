from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.recommend import recommend
from benchmarks.recommend_changes import Change, changes
from benchmarks.recommend_requirements import Requirements
from measuring.record import Measurement
from tests.benchmarks.hand_made import bench, sweep

FAST, GOOD, HEAVY = "shufflenet_v2_x0_5", "fasternet_t1", "fasternet_s"
ASKED = Requirements(slo=0.020, rate=50.0)


def three() -> list[Measurement]:
    return [
        bench(FAST, seconds=0.002, accuracy=0.60),
        bench(GOOD, seconds=0.004, accuracy=0.76),
        bench(HEAVY, seconds=0.009, accuracy=0.81),
    ]


def by_condition(records: list[Measurement], asked: Requirements) -> dict[str, Change]:
    return {change.condition: change for change in changes(recommend(records, asked))}


def test_changes_are_what_the_same_choice_says_under_each_condition() -> None:
    found = by_condition(three(), ASKED)
    for condition, asked in {
        "SLO 8 ms": replace(ASKED, slo=0.008),
        "SLO 40 ms": replace(ASKED, slo=0.040),
        "250 requests/s": replace(ASKED, rate=250.0),
        "accuracy >= 80 %": replace(ASKED, accuracy=0.8),
        "speed before accuracy": replace(ASKED, prefer="speed"),
    }.items():
        expected = recommend(three(), asked).chosen
        chosen = found[condition].chosen
        assert (chosen and chosen.way) == (expected and expected.way), condition


def test_changes_list_no_condition_that_changes_nothing() -> None:
    found = by_condition(three(), ASKED)
    assert "accuracy >= 75 %" not in found, "the choice has 76 %"
    assert "100 requests/s" not in found
    assert "250 requests/s" in found
    assert by_condition([bench(FAST, seconds=0.0001)], ASKED) == {}


def test_changes_list_no_condition_under_which_the_choice_ties() -> None:
    long_tail = np.where(np.arange(700) % 20, 0.0036, 0.012)
    wide: dict[str, Any] = {"accuracy": 0.76, "ci_low": 150.0, "ci_high": 350.0}
    records = [
        bench(GOOD, seconds=0.004, peak_rss=200_000_000, **wide),
        bench(HEAVY, samples=long_tail, peak_rss=100_000_000, **wide),
    ]
    asked = replace(ASKED, slo=0.010, rate=10.0)
    loose = recommend(records, replace(asked, slo=0.020))
    assert loose.chosen is not None
    assert (loose.chosen.network, [tie.network for tie in loose.ties]) == (HEAVY, [GOOD])
    found = recommend(records, asked)
    assert found.chosen is not None
    assert (found.chosen.network, found.ties) == (GOOD, ())
    assert "SLO 20 ms" not in by_condition(records, asked)


def test_changes_to_nothing_say_the_nearest_miss() -> None:
    change = by_condition(three(), ASKED)["accuracy >= 80 %"]
    assert change.chosen is None
    assert change.words.startswith("nothing would do; nearest miss: fasternet_t1 int8")


def test_changes_of_the_batch_size_alone_say_so() -> None:
    records = sweep(t0=0.002, per_image=0.003)
    assert recommend(records, replace(ASKED, slo=0.050)).chosen is not None
    change = by_condition(records, replace(ASKED, slo=0.050))["SLO 20 ms"]
    assert change.words.startswith("the same with max_batch 2 (p99 ")


def test_changes_of_the_device_are_asked_where_there_are_several() -> None:
    records = [*three(), bench(HEAVY, seconds=0.001, accuracy=0.81, device="cuda", vram=1 << 29)]
    found = by_condition(records, ASKED)
    assert found["on cpu alone"].chosen is not None
    assert "on cuda alone" not in found


def test_changes_say_what_would_be_chosen_with_its_figures() -> None:
    words = by_condition(three(), ASKED)["speed before accuracy"].words
    assert words.startswith(
        "shufflenet_v2_x0_5 int8 on openvino, 1 instance of 1 thread, max_batch 1 "
        "(top-1 60.0 % (measured), p99 "
    )
    assert "requests/s)" in words
