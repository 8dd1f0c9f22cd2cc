import pytest

from benchmarks import exports_page, rewrites_page
from benchmarks.pages import between_marks
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar


def measured(seconds: float, **settings: Scalar) -> Measurement:
    common: dict[str, Scalar] = {"network": "net", "threads": 1, "pairs": 20, "batch": 1}
    return Measurement(
        "one", common | settings, latencies([seconds] * 3), fingerprint(), "2026-11-24T12:00:00"
    )


def test_between_marks_replaces_only_what_is_between() -> None:
    page = "before\n<!-- part -->\nold\n<!-- end of part -->\nafter\n"
    made = between_marks(page, "part", "new\n")
    assert made == "before\n<!-- part -->\nnew\n<!-- end of part -->\nafter\n"
    assert between_marks(made, "part", "new\n") == made


def test_between_marks_of_a_page_without_them_is_an_error() -> None:
    with pytest.raises(ValueError, match="no part 'part'"):
        between_marks("nothing", "part", "new")


def test_rewrites_table_shows_a_gain_in_bold_and_a_loss_plainly() -> None:
    place: dict[str, Scalar] = {
        "rewrite": "fold", "runtime": "onnxruntime", "precision": "fp32", "way": "with"
    }  # fmt: skip
    gain = measured(1.0, **place, speed=1.2, speed_low=1.1, speed_high=1.3)
    loss = measured(1.0, **place | {"batch": 8}, speed=0.9, speed_low=0.8, speed_high=1.1)
    without = measured(1.0, **place | {"way": "without"}, speed=1.0, speed_low=1.0, speed_high=1.0)
    alone = measured(1.0, **place | {"network": "other"}, speed=1.0, speed_low=0.9, speed_high=1.1)
    page = rewrites_page.tables([without, gain, loss, alone])
    assert "| other | onnxruntime | fp32 | 1.00 (0.90 to 1.10) | not measured |" in page
    line = "| net | onnxruntime | fp32 | **1.20 (1.10 to 1.30)** | 0.90 (0.80 to 1.10) |"
    assert line in page
    assert page.count("| net |") == 1


def test_exports_tables_name_the_best_and_the_best_in_fp32() -> None:
    base: dict[str, Scalar] = {"base": "stock"}
    speeds = {"stock": 1.0, "openvino cpu fp32": 1.3, "openvino cpu int8": 2.5}
    found = [
        measured(0.01 / s, **base, way=way, speed=s, speed_low=s - 0.1, speed_high=s + 0.1)
        for way, s in speeds.items()
    ]
    assert "| net | 1 | 1 | 100 | 1.30 times | 2.50 times | openvino cpu int8 |" in (
        exports_page.summary(found)
    )
    page = exports_page.tables(found)
    assert page.index("openvino cpu int8") < page.index("openvino cpu fp32") < page.index("| stock")
