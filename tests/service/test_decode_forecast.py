import time

import pytest

from service.decode_forecast import DecodeForecast
from service.seam import Priority

JPEG, PNG = b"\xff" * 100, b"\x89" * 100
NORMAL, BACKGROUND = Priority.NORMAL, Priority.BACKGROUND


def forecast(threads: int = 1) -> DecodeForecast:
    """After JPEGs that took 0.1 seconds per byte and PNGs that took 1."""
    made = DecodeForecast(threads)
    for _ in range(5):
        made.update(b"\xff", 50, 5.0)
        made.update(b"\x89", 10, 10.0)
    return made


def test_forecast_foresees_nothing_while_a_thread_idles() -> None:
    made = forecast(threads=2)
    made.start(made.queue(PNG, NORMAL))

    assert made.seconds_to_decode([PNG], NORMAL) == 0.0
    made.queue(PNG, NORMAL)
    assert made.seconds_to_decode([PNG], NORMAL) > 0.0


def test_forecast_adds_what_runs_what_waits_and_the_picture_itself() -> None:
    made = forecast()
    made.start(made.queue(PNG, NORMAL))  # 100 seconds
    made.queue(JPEG, NORMAL)  # 10 seconds

    assert made.seconds_to_decode([JPEG], NORMAL) == pytest.approx(1.1 * 120, rel=0.01)
    assert made.seconds_to_decode([JPEG] * 3, NORMAL) == pytest.approx(1.1 * 140, rel=0.01)


def test_forecast_shares_out_what_waits_among_the_threads() -> None:
    made = forecast(threads=2)
    made.start(made.queue(PNG, NORMAL))  # the thread that is free first takes all that waits
    made.start(made.queue(JPEG, NORMAL))
    for _ in range(3):
        made.queue(JPEG, NORMAL)

    assert made.seconds_to_decode([JPEG], NORMAL) == pytest.approx(1.1 * 50, rel=0.01)


def test_forecast_of_normal_leaves_out_background() -> None:
    made = forecast()
    made.start(made.queue(JPEG, NORMAL))
    made.queue(PNG, BACKGROUND)

    assert made.seconds_to_decode([JPEG], NORMAL) == pytest.approx(1.1 * 20, rel=0.01)
    assert made.seconds_to_decode([JPEG], BACKGROUND) == pytest.approx(1.1 * 120, rel=0.01)


def test_forecast_forgets_what_was_withdrawn() -> None:
    made = forecast()
    running = made.queue(JPEG, NORMAL)
    made.start(running)
    waiting = made.queue(PNG, NORMAL)

    made.withdraw(waiting)
    made.withdraw(waiting)
    made.withdraw(running)  # too late: it runs

    assert made.waiting == 0
    assert made.seconds_to_decode([JPEG], NORMAL) == pytest.approx(1.1 * 20, rel=0.01)


def test_forecast_follows_what_decodes_take_and_keeps_more_in_hand_where_they_vary() -> None:
    made = forecast()
    steady = forecast()
    for one in (made, steady):
        one.start(one.queue(JPEG, NORMAL))
    for _ in range(100):
        steady.update(b"\xff", 100, 20.0)
        made.update(b"\xff", 100, 1.0)
        made.update(b"\xff", 100, 39.0)

    assert steady.seconds_to_decode([JPEG], NORMAL) == pytest.approx(1.1 * 40, rel=0.01)
    assert made.seconds_to_decode([JPEG], NORMAL) > 60


def test_forecast_of_a_thread_that_is_late_is_late_for_as_long_again() -> None:
    made = DecodeForecast(1)
    running = made.queue(JPEG, NORMAL)
    made.start(running)
    running.started = time.perf_counter() - 60  # nothing is known yet but that

    assert made.seconds_to_decode([JPEG], NORMAL) == pytest.approx(1.1 * 60, rel=0.01)


def test_forecast_learns_nothing_from_a_picture_that_failed() -> None:
    made = forecast()
    broken = made.queue(JPEG, NORMAL)
    made.start(broken)
    made.end(broken, whole=False)
    made.start(made.queue(JPEG, NORMAL))

    assert made.seconds_to_decode([JPEG], NORMAL) == pytest.approx(1.1 * 20, rel=0.01)
