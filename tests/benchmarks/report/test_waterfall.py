from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from benchmarks.report.waterfall import STAGES, around, waterfall, waterfalls
from measuring.errors import InputError
from service.exchange import Result
from service.metrics import STAGES as SERVICE_STAGES
from service.metrics import Metrics
from tests.benchmarks.report.hand_made_results import stages


def test_waterfall_knows_the_stages_of_the_service() -> None:
    assert STAGES == SERVICE_STAGES


def test_waterfalls_from_records_have_mean_tail_and_count(tmp_path: Path) -> None:
    (found,) = waterfalls(stages("m"), tmp_path).values()
    assert found["inference"].mean == pytest.approx(0.0025, rel=0.01)
    assert found["inference"].count == 700
    assert around({"m": found}) == pytest.approx(0.0022, rel=0.01)


def test_waterfalls_are_read_from_the_metrics_the_service_writes(tmp_path: Path) -> None:
    metrics = Metrics(CollectorRegistry())
    rng = np.random.Generator(np.random.PCG64(0))
    times = {name: rng.gamma(4.0, 0.001 * (place + 1), 400) for place, name in enumerate(STAGES)}
    for each in zip(*times.values(), strict=True):
        taken = dict(zip(STAGES, each, strict=True))
        metrics.computed("m", taken["queue"], taken["inference"])
        metrics.request(Result("m", "ok", taken, sum(each)), "v1")
    (tmp_path / "service.prom").write_bytes(generate_latest(metrics.registry))
    found = waterfalls([], tmp_path)["m"]
    for name, seconds in times.items():
        assert found[name].mean == pytest.approx(seconds.mean())
        assert found[name].count == 400
        assert found[name].p99 == pytest.approx(np.percentile(seconds, 99.0), rel=0.25)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff\xfe", id="no-text"),
        pytest.param(b"<!DOCTYPE html>\n<p>", id="a-page"),
        pytest.param(b'stride_stage_seconds_bucket{le="1.0"} 3\n', id="no-model"),
    ],
)
def test_waterfalls_of_a_damaged_file_say_how_to_save_it(tmp_path: Path, data: bytes) -> None:
    heading = b"# TYPE stride_stage_seconds histogram\n" if b"stride" in data else b""
    (tmp_path / "service.prom").write_bytes(heading + data)
    with pytest.raises(InputError, match="is no answer of the service's /metrics"):
        waterfalls([], tmp_path)


def test_waterfall_says_how_much_another_network_can_change(tmp_path: Path) -> None:
    section = waterfall(waterfalls(stages("m"), tmp_path))
    (verdict,) = [text for text in section.paragraphs if text.startswith("m:")]
    assert "50% of the mean request is inference" in verdict
    assert "the network and its queue are 56%" in verdict
    assert len(section.figures) == 1
    assert section.tables[0].rows[0][0] == "m"


def test_waterfall_without_stages_says_how_to_get_them(tmp_path: Path) -> None:
    section = waterfall(waterfalls([], tmp_path))
    assert section.missing is not None
    assert any("/metrics > results/service.prom" in line for line in section.commands)
