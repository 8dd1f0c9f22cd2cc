"""Every picture reaches every model, and an answer that is not what was asked for counts."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from demo import traffic
from demo.pictures import Picture
from demo.traffic import Tally, classify_all
from measuring.errors import CheckError, InputError
from tests.demo.small_service import Answering, closed_port, served

LABELS = ("cat", "dog")


def pictures(count: int, labels: Sequence[str | None] = LABELS) -> tuple[Picture, ...]:
    return tuple(
        Picture(Path(f"{index}.png"), str(index).encode(), labels[index % len(labels)])
        for index in range(count)
    )


def answer(model: str, label: str) -> tuple[int, dict[str, Any]]:
    prediction = {"label": label, "index": 0, "probability": 1.0}
    return 200, {"model": model, "trained": True, "predictions": [prediction], "timings": {}}


def right(model: str, body: bytes) -> tuple[int, dict[str, Any]]:
    return answer(model, LABELS[int(body) % 2])


def classify(url: str, models: Sequence[str], sent: Sequence[Picture]) -> tuple[Tally, ...]:
    return classify_all(url, models, sent, concurrency=4, report=lambda _: None)


def classify_by(
    answering: Answering, models: Sequence[str], sent: Sequence[Picture]
) -> tuple[Tally, ...]:
    with served(answering) as url:
        return classify(url, models, sent)


def test_classify_all_sends_each_picture_once_to_each_model_after_a_warm_up() -> None:
    received: Counter[tuple[str, bytes]] = Counter()

    def answering(model: str, body: bytes) -> tuple[int, dict[str, Any]]:
        received[model, body] += 1
        return right(model, body)

    reported: list[int] = []
    with served(answering) as url:
        tallies = classify_all(url, ("a", "b"), pictures(25), concurrency=4, report=reported.append)

    assert [tally.model for tally in tallies] == ["a", "b"]
    assert [len(tally.seconds) for tally in tallies] == [25, 25]
    assert sum(reported) == 50
    assert set(received) == {(model, str(i).encode()) for model in "ab" for i in range(25)}
    assert received.total() == 50 + 2 * 4 * traffic._WARMUP


def test_classify_all_measures_latency_and_throughput_per_model() -> None:
    (tally,) = classify_by(right, ["a"], pictures(20))

    assert tally.failures == []
    assert all(0.0 < seconds < 60.0 for seconds in tally.seconds)
    assert tally.throughput == pytest.approx(20 / tally.busy)
    # Four clients: their turns overlap, so the wall is shorter than all waits together.
    assert tally.busy < sum(tally.seconds) + 1.0


def test_top1_is_the_share_of_right_labels() -> None:
    (tally,) = classify_by(lambda model, _: answer(model, "cat"), ["a"], pictures(20))

    assert tally.top1 == 0.5


def test_top1_is_unknown_without_labels() -> None:
    (tally,) = classify_by(right, ["a"], pictures(12, labels=(None,)))

    assert tally.top1 is None
    assert len(tally.seconds) == 12


def test_refusals_are_failures_and_no_latencies() -> None:
    def answering(model: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if model == "full":
            return 503, {"error": "queue full: 256 images wait"}
        return right(model, body)

    good, full = classify_by(answering, ["good", "full"], pictures(12))

    assert (good.failures, good.top1) == ([], 1.0)
    assert full.failures == ["HTTP 503: queue full: 256 images wait"] * 12
    assert (full.seconds, full.top1, full.throughput) == ([], 0.0, 0.0)


def test_an_answer_of_another_model_is_a_failure() -> None:
    (tally,) = classify_by(lambda _, body: right("b", body), ["a"], pictures(12))

    assert set(tally.failures) == {"asked a, answered by b"}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"model": "a"}, id="no-predictions"),
        pytest.param({"model": "a", "predictions": []}, id="empty-predictions"),
        pytest.param({}, id="empty"),
    ],
)
def test_an_answer_of_another_form_is_a_failure(body: dict[str, Any]) -> None:
    (tally,) = classify_by(lambda *_: (200, body), ["a"], pictures(10))

    assert len(tally.failures) == 10
    assert tally.failures[0].startswith("HTTP 200 with b'{")


def test_a_service_that_is_gone_is_a_failure() -> None:
    (tally,) = classify(f"http://127.0.0.1:{closed_port()}", ["a"], pictures(10))

    assert len(tally.failures) == 10
    assert all(reason.startswith("no answer: ") for reason in tally.failures)


def test_connections_are_kept() -> None:
    with served(right) as url, traffic._connections(url, 1) as pool:
        for picture in pictures(5):
            traffic.ask(pool, "/v1/classify?model=a", "a", picture)

        assert (pool.num_connections, pool.num_requests) == (1, 5)


def test_classify_all_ends_when_it_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "LONGEST", -1.0)

    with pytest.raises(CheckError, match="took more than -1 s"):
        classify_by(right, ["a"], pictures(10))


@pytest.mark.parametrize(
    ("models", "count"), [pytest.param((), 1, id="models"), pytest.param(("a",), 0, id="pictures")]
)
def test_classify_all_refuses_nothing(models: tuple[str, ...], count: int) -> None:
    with pytest.raises(InputError, match="expected at least one of each"):
        classify("http://127.0.0.1:1", models, pictures(count))


def test_classify_all_refuses_what_is_no_address() -> None:
    with pytest.raises(InputError, match="expected http://HOST:PORT"):
        classify("somewhere", ["a"], pictures(1))
