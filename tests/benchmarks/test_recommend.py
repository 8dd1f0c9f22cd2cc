import math
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.recommend import Recommendation, recommend
from benchmarks.recommend_choices import Published
from benchmarks.recommend_reasons import accuracy_words
from benchmarks.recommend_requirements import Requirements
from measuring.errors import InputError
from measuring.record import Measurement
from tests.benchmarks.hand_made import bench, invalid, steady, sweep

ASKED = Requirements(slo=0.020, rate=100.0)
FAST, GOOD, HEAVY = "shufflenet_v2_x0_5", "fasternet_t1", "fasternet_s"


def three() -> list[Measurement]:
    """Each more accurate network is slower: 500, 250 and 100 images/s."""
    return [
        bench(FAST, seconds=0.002, accuracy=0.60, peak_rss=80_000_000),
        bench(GOOD, seconds=0.004, accuracy=0.76, peak_rss=120_000_000),
        bench(HEAVY, seconds=0.010, accuracy=0.81, peak_rss=200_000_000),
    ]


def chosen(found: Recommendation) -> str:
    return found.chosen.network if found.chosen else "nothing"


def test_recommend_takes_the_most_accurate_that_keeps_the_slo() -> None:
    found = recommend(three(), replace(ASKED, rate=50.0))
    assert chosen(found) == GOOD
    assert found.prediction is not None
    assert found.prediction.seconds <= 0.020
    assert found.headroom is not None
    assert found.headroom > 1.0
    assert found.headroom * 50.0 == pytest.approx(found.holds)
    assert "2 of 3 measured options meet p99 <= 20 ms at 50 requests/s." in found.why
    assert any("76.0 % (measured)" in line for line in found.why)
    assert any(HEAVY in line and "over 20 ms" in line for line in found.why)


def test_recommend_a_higher_rate_leaves_only_faster_ones() -> None:
    assert chosen(recommend(three(), replace(ASKED, rate=200.0))) == FAST
    assert chosen(recommend(three(), replace(ASKED, rate=5.0))) == HEAVY


def test_recommend_speed_first_takes_the_one_with_the_most_room() -> None:
    found = recommend(three(), replace(ASKED, rate=50.0, prefer="speed"))
    assert chosen(found) == FAST
    assert any(line.startswith("Speed first") for line in found.why)


def test_recommend_an_accuracy_floor_excludes_a_network() -> None:
    found = recommend(three(), replace(ASKED, rate=50.0, prefer="speed", accuracy=0.75))
    assert chosen(found) == GOOD
    (fast,) = (it for it in found.assessed if it.choice.network == FAST)
    assert [short.requirement for short in fast.shortfalls] == ["accuracy"]
    assert fast.shortfalls[0].words == "top-1 60.0%, 15.0 points under 75 %"


def test_recommend_an_slo_excludes_a_batch_size() -> None:
    """T(b) = 8 ms + 1 ms b: batches of 8 answer 500 images/s and take 16 ms each; a request that
    has just missed one waits for it, so the p99 is near two of them."""
    records = sweep(t0=0.008, per_image=0.001, sizes=(1, 2, 4, 8))
    loose = recommend(records, Requirements(slo=0.060, rate=300.0))
    assert loose.chosen is not None
    assert loose.chosen.max_batch == 8
    out = {it.choice.max_batch: it.shortfalls[0].words for it in loose.assessed if not it.feasible}
    assert set(out) == {1, 2, 4}
    assert out[1].startswith("cannot keep up: 111 images/s at most")
    tight = recommend(records, Requirements(slo=0.020, rate=300.0))
    assert tight.chosen is None


def test_recommend_takes_the_smallest_max_batch_where_larger_ones_bring_nothing() -> None:
    found = recommend(sweep(t0=0.0, per_image=0.004), ASKED)
    assert found.chosen is not None
    assert found.chosen.max_batch == 1
    assert found.ties == (), "the same way with another batch size is no tie"


def test_recommend_ties_within_noise_are_called_ties_and_broken_by_memory() -> None:
    records = [
        bench(GOOD, seconds=0.00400, peak_rss=150_000_000),
        bench(GOOD, seconds=0.00402, peak_rss=100_000_000, runtime="onnxruntime"),
        bench(GOOD, seconds=0.00700, peak_rss=50_000_000, runtime="torch"),
    ]
    for order in (records, records[::-1]):
        found = recommend(order, ASKED)
        assert found.chosen is not None
        assert found.chosen.runtime == "onnxruntime"
        assert [tie.runtime for tie in found.ties] == ["openvino"]
        assert found.tie_break == "the least memory"


def test_recommend_a_difference_beyond_both_intervals_is_no_tie() -> None:
    records = [
        bench(GOOD, seconds=0.0040, peak_rss=150_000_000),
        bench(GOOD, seconds=0.0044, peak_rss=100_000_000, runtime="onnxruntime"),
    ]
    found = recommend(records, ASKED)
    assert found.chosen is not None
    assert (found.chosen.runtime, found.ties) == ("openvino", ())
    wide = [
        bench(
            GOOD,
            seconds=float(str(record.latencies.summary["mean"])),
            runtime=str(record.settings["runtime"]),
            ci_low=float(str(record.settings["images_per_second"])) * 0.9,
            ci_high=float(str(record.settings["images_per_second"])) * 1.1,
        )
        for record in records
    ]
    assert len(recommend(wide, ASKED).ties) == 1, "the intervals are wide now"


def test_recommend_accuracies_within_chance_leave_the_choice_to_speed() -> None:
    """On 200 pictures 98.0 % and 97.0 % are 4 and 6 wrong answers."""
    records = [
        bench(GOOD, seconds=0.005, accuracy=0.98, accuracy_source="measured on 200 pictures"),
        bench(FAST, seconds=0.003, accuracy=0.97, accuracy_source="measured on 200 pictures"),
    ]
    found = recommend(records, replace(ASKED, rate=50.0))
    assert chosen(found) == FAST
    assert any("within chance of the highest, 98.0 %" in line for line in found.why)
    sure = [
        bench(GOOD, seconds=0.005, accuracy=0.98, accuracy_source="measured on 20,000 pictures"),
        bench(FAST, seconds=0.003, accuracy=0.97, accuracy_source="measured on 20,000 pictures"),
    ]
    assert chosen(recommend(sure, replace(ASKED, rate=50.0))) == GOOD


def test_recommend_nothing_feasible_names_the_nearest_miss_and_by_how_much() -> None:
    found = recommend(three(), Requirements(slo=0.0018, rate=20.0))
    assert found.chosen is None
    assert found.holds is None
    assert found.nearest is not None
    assert found.nearest.choice.network == FAST
    (short,) = found.nearest.shortfalls
    over = found.nearest.prediction.seconds - 0.0018
    assert short.share == pytest.approx(over / 0.0018)
    assert f"{over * 1e3:.1f} ms" in short.words
    assert found.why[0] == "0 of 3 measured options meet p99 <= 1.8 ms at 20 requests/s."


def test_recommend_the_nearest_miss_is_the_one_that_misses_least_of_all_kinds() -> None:
    """FAST lacks 15 points of accuracy; GOOD's p99 is a little over."""
    found = recommend(three(), Requirements(slo=0.020, rate=150.0, accuracy=0.75))
    assert found.chosen is None
    assert found.nearest is not None
    assert found.nearest.choice.network == GOOD


def test_recommend_limits_of_memory_and_device_are_kept() -> None:
    asked = replace(ASKED, rate=50.0)
    assert chosen(recommend(three(), replace(asked, memory=100_000_000))) == FAST
    none = recommend(three(), replace(asked, devices=("cuda",)))
    assert none.chosen is None
    assert none.nearest is not None
    assert "runs on cpu, not on cuda" in [short.words for short in none.nearest.shortfalls]
    unknown = recommend([bench(FAST, peak_rss=None)], replace(asked, memory=1 << 30))
    assert unknown.assessed[0].shortfalls[0].words == "its memory was not measured"


def test_recommend_invalid_records_are_left_out_unless_asked_for() -> None:
    records = [invalid(bench(GOOD), "other load: 40 %"), bench(FAST, accuracy=0.6)]
    found = recommend(records, ASKED)
    assert chosen(found) == FAST
    (left_out,) = found.left_out
    assert left_out.name.startswith(GOOD)
    assert left_out.reason == "INVALID: other load: 40 %"
    assert any("Records marked INVALID are not used: 1" in line for line in found.caveats)
    asked_for = recommend(records, ASKED, invalid=True)
    assert chosen(asked_for) == GOOD
    assert any("rest on records marked INVALID, as asked: 1" in line for line in asked_for.caveats)


def test_recommend_an_invalid_stamp_in_the_settings_alone_counts() -> None:
    stamped = bench(GOOD, valid=False, reasons="throttling")
    assert recommend([stamped], ASKED).left_out[0].reason == "INVALID: throttling"


def test_recommend_an_invalid_small_batch_leaves_the_large_one_usable() -> None:
    one, *others = sweep(sizes=(1, 2, 4))
    found = recommend([invalid(one), *others], ASKED)
    assert [it.choice.max_batch for it in found.assessed] == [2, 4]
    assert sorted(found.assessed[-1].choice.calls) == [2, 4]


def test_recommend_missing_accuracy_ranks_last_and_meets_no_floor() -> None:
    records = [bench(GOOD, accuracy=None, seconds=0.002), bench(FAST, accuracy=0.6)]
    assert chosen(recommend(records, ASKED)) == FAST
    assert chosen(recommend(records, replace(ASKED, prefer="speed"))) == GOOD
    floor = recommend([bench(GOOD, accuracy=None)], replace(ASKED, accuracy=0.1))
    assert floor.chosen is None
    assert floor.assessed[0].shortfalls[0].words == "its accuracy is not known"
    assert any("No accuracy is known of" in line for line in floor.caveats)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param({"trained": False}, "69.4 % (published)", id="untrained-stands-in"),
        pytest.param({"weights": "5666bf0f80" + "0" * 54}, "69.4 % (published)", id="published"),
        pytest.param({"weights": "1" * 64}, "not known", id="somebody-elses-weights"),
    ],
)
def test_recommend_published_accuracy_is_marked_and_of_those_weights_alone(
    settings: dict[str, Any], words: str
) -> None:
    published = {"shufflenet_v2_x1_0": Published(0.694, "5666bf0f80")}
    record = bench(accuracy=None, accuracy_source=None, **settings)
    found = recommend([record], ASKED, published=published)
    assert found.chosen is not None
    assert accuracy_words(found.chosen.accuracy) == words
    if "trained" in settings:
        assert any("Untrained weights were timed" in line for line in found.caveats)


def test_recommend_dominated_options_say_by_whom_and_in_what() -> None:
    records = [
        bench(GOOD, seconds=0.004, accuracy=0.76, peak_rss=100_000_000),
        bench(HEAVY, seconds=0.008, accuracy=0.76, peak_rss=100_000_000),
        bench(FAST, seconds=0.002, accuracy=0.60, peak_rss=90_000_000),
    ]
    (beaten,) = recommend(records, ASKED).dominated
    assert (beaten.choice.network, beaten.by.network) == (HEAVY, GOOD)
    assert beaten.better == ("latency", "throughput")


def test_recommend_a_difference_within_noise_dominates_nothing() -> None:
    records = [
        bench(GOOD, seconds=0.00400, peak_rss=100_000_000),
        bench(HEAVY, seconds=0.00402, peak_rss=100_500_000),
    ]
    assert recommend(records, ASKED).dominated == ()


def test_recommend_less_memory_saves_from_being_dominated() -> None:
    records = [
        bench(GOOD, seconds=0.004, peak_rss=100_000_000),
        bench(HEAVY, seconds=0.008, peak_rss=80_000_000),
    ]
    assert recommend(records, ASKED).dominated == ()


def test_recommend_few_calls_are_said_to_be_few() -> None:
    found = recommend([bench(samples=steady(0.004, count=60))], ASKED)
    assert any("A p99 takes 662 calls" in line and "have 60" in line for line in found.caveats)


def test_recommend_time_around_the_queue_comes_off_the_slo() -> None:
    bare = recommend(three(), replace(ASKED, rate=50.0))
    around = recommend(three(), replace(ASKED, rate=50.0, around=0.012))
    assert chosen(around) == FAST, "GOOD has no 12 ms to spare"
    assert bare.assessed[0].prediction.seconds + 0.012 == pytest.approx(
        around.assessed[0].prediction.seconds
    )


def test_recommend_no_records_is_nothing_and_no_miss() -> None:
    found = recommend([], ASKED)
    assert (found.chosen, found.nearest, found.assessed) == (None, None, ())


def test_recommend_a_record_without_what_it_needs_is_left_out_by_name() -> None:
    found = recommend([bench(images_per_second=None), bench(FAST)], ASKED)
    assert found.left_out[0].reason == "the record has no images_per_second"
    assert chosen(found) == FAST


def test_recommend_is_the_same_each_time_in_any_order() -> None:
    records = [record for name in (FAST, GOOD, HEAVY) for record in sweep(name)]
    first, second = recommend(records, ASKED), recommend(records[::-1], ASKED)
    assert first.why == second.why
    assert [it.choice.name for it in first.assessed] == [it.choice.name for it in second.assessed]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"slo": 0.0}, id="no-time"),
        pytest.param({"rate": math.inf}, id="endless-rate"),
        pytest.param({"percentile": 100.0}, id="p100"),
        pytest.param({"accuracy": 75.0}, id="percent"),
        pytest.param({"memory": 0}, id="no-memory"),
        pytest.param({"around": -0.01}, id="less-than-no-time"),
    ],
)
def test_requirements_that_nothing_can_meet_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Requirements(**({"slo": 0.02, "rate": 100.0} | wrong))  # type: ignore[arg-type]
