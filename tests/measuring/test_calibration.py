import pytest

from measuring.calibration import calibrate, drift


def test_calibrate_takes_the_shortest() -> None:
    readings = iter([0.0, 5.0, 10.0, 12.0, 20.0, 29.0, 30.0, 33.0, 40.0, 44.0])
    assert calibrate(lambda: next(readings)) == 2.0


def test_drift_compares_the_last_third_with_the_first() -> None:
    assert drift([1.0, 1.0, 5.0, 5.0, 1.5, 1.5]) == pytest.approx(0.5)
    assert drift([2.0, 9.0, 1.0]) == -0.5
    assert drift([1.0, 2.0]) is None
