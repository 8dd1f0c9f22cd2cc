"""The ways that the decoding benchmark compares, and the page made of it."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from benchmarks import decoding, decoding_page
from benchmarks.decoding_agreement import agreements
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.photographs import varied_jpegs
from measuring.record import Measurement, Scalar
from models import load


def test_plain_pillow_and_the_exact_way_are_the_same_pixels() -> None:
    """The exact way is the reference that services written with Pillow alone have."""
    for data in varied_jpegs(13, seed=3, shorter=(257, 900)):
        assert np.array_equal(decoding.plain(data), decoding.exact(data))


def test_every_file_of_the_benchmark_is_what_its_label_says() -> None:
    for label, data in decoding.pictures().items():
        with Image.open(BytesIO(data)) as image:
            assert label.upper().startswith(str(image.format))
            assert f"{image.width} x {image.height}" in label
            assert ("progressive" in label) == bool(image.info.get("progressive"))
            assert f"{len(data) / 1e3:,.0f} KB" in label


def test_agreements_are_over_the_same_pictures_for_each_interpolation() -> None:
    found = agreements(load("shufflenet_v2_x0_5", "untrained"), 26)
    assert [m.settings["interpolation"] for m in found] == ["bilinear", "bicubic"]
    for measured in found:
        assert measured.settings["pictures"] == measured.latencies.count == 26
        assert 0 < float(str(measured.settings["mean_difference"])) < 1.5
        assert float(str(measured.settings["agreement"])) >= 24 / 26


def record(name: str, seconds: float, **settings: Scalar) -> Measurement:
    common: dict[str, Scalar] = {"file": "JPEG", "threads": 1, "pairs": 20, "batch": 1}
    return Measurement(
        name, common | settings, latencies([seconds] * 3), fingerprint(), "2026-11-24T12:00:00"
    )


def test_tables_have_ways_steps_hand_overs_and_agreements() -> None:
    base: dict[str, Scalar] = {"base": "plain", "speed_low": 2.9, "speed_high": 3.1}
    page = decoding_page.tables(
        [
            record("decoding", 0.006, **base, way="plain", speed=1.0),
            record("decoding", 0.002, **base, way="fast", speed=3.0),
            record("decoding step", 0.00025, **base, way="fast: resize", speed=1.0),
            record("decoding hand-over", 0.00002, **base, way="ours", speed=3.0),
            record(
                "decoding agreement", 0.001, interpolation="bicubic", pictures=400, scaled=200,
                mean_difference=0.171, most_difference=2.1, agreement=0.9975, classes=19,
            ),
        ]
    )  # fmt: skip
    assert "| JPEG | plain | 6.00 | 1 |" in page
    assert "| JPEG | fast | 2.00 | 3.00 (2.90 to 3.10) |" in page
    assert "| JPEG | fast: resize | 250 |" in page
    assert "| ours | 20 | 3.00 (2.90 to 3.10) |" in page
    assert "| bicubic | 400 | 200 | 0.17 | 2.10 | 99.75% | 19 |" in page


def test_tables_without_a_part_are_an_error() -> None:
    with pytest.raises(ValueError, match="no records of 'decoding'"):
        decoding_page.tables([])
