import re
from dataclasses import replace
from typing import Any

import pytest

from measuring.validity import Conditions, objections

GOOD = Conditions(spread=0.05, count=64, percentile="p90", others=0.01, stolen=0.0)


def test_objections_to_a_calm_run_are_none() -> None:
    assert objections(GOOD) == ()
    assert objections(replace(GOOD, others=None, stolen=None, calibration_drift=None)) == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"spread": 0.2}, "noise: .* spans 20% of their median, over 15%", id="noise"),
        pytest.param(
            {"calibration_drift": 0.5}, "throttling: .* took 50% longer", id="slower-clock"
        ),
        pytest.param({"calibration_drift": -0.2}, "throttling: .* took 20% less", id="faster"),
        pytest.param({"throttle_reasons": 0x44}, "held back by its power limit", id="gpu-power"),
        pytest.param({"others": 0.3}, "other load: other processes took 30%", id="others"),
        pytest.param({"stolen": 0.1}, "other load: the hypervisor took 10%", id="stolen"),
        pytest.param({"count": 63}, "too few samples: p90 needs 64, got 63", id="few"),
        pytest.param({"percentile": "p99"}, "p99 needs 662, got 64", id="few-for-p99"),
        pytest.param({"percentile": "p99.9"}, "p99.9 needs 6,636, got 64", id="few-for-p99.9"),
    ],
)
def test_objections_say_what_is_wrong(change: dict[str, Any], told: str) -> None:
    found = objections(replace(GOOD, **change))
    assert any(re.search(told, reason) for reason in found), found


def test_objections_to_a_gpu_that_idles_are_none() -> None:
    assert objections(replace(GOOD, throttle_reasons=0x01)) == ()
