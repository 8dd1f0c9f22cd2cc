"""What claims are judged by, and how a judgement is told."""

import pytest

from benchmarks.claims.evidence import Evidence
from benchmarks.claims.judged import finding_rows, judge
from benchmarks.claims.stages import block_bytes
from benchmarks.claims.table import CLAIMS
from models import cost, sketch
from tests.benchmarks.claim_records import network, operator, times


def test_bytes_of_blocks_are_those_of_the_layers() -> None:
    """A block of FasterNet-T0's first stage: partial convolution with its copy, two pointwise
    ones, GELU and shortcut, on 56 x 56 maps of 40 channels."""
    pixels, c = 56 * 56, 40
    first = pixels * (2 * c // 4 + 2 * c + 3 * c + 4 * c + 3 * c + 3 * c)
    weights = 9 * (c // 4) ** 2 + 4 * c * c
    early, late = block_bytes(cost(sketch("fasternet_t0"), 224))

    assert early > late
    blocks = [(pixels, 40, 1), (pixels // 4, 80, 2)]
    total = sum(
        n * 4 * (p * w * first // (pixels * c) + weights * w * w // (c * c)) for p, w, n in blocks
    )
    assert early == pytest.approx(total / 3, rel=1e-6)


def test_rows_say_what_was_measured_and_what_was_needed() -> None:
    claims = [claim for claim in CLAIMS if claim.number == 10]
    (judged,) = judge([operator("partial", **times("conv", 0.3))], claims)

    rows = finding_rows(judged.findings)

    assert rows[0] == ["96 x 56²: multiplications are 1/16", "16", "16", "confirmed"]
    assert rows[1][1:] == ["0.227", "< 0.25", "confirmed"]
    assert rows[2][2:] == ["", ""], "told beside"
    assert ["0.3 (0.294 to 0.306)", "< 1", "confirmed"] in [row[1:] for row in rows]


def test_evidence_finds_by_settings() -> None:
    evidence = Evidence([operator("conv", runtime="torch"), operator("conv", runtime="openvino")])

    found = evidence.operator("conv", "openvino", channels=96)

    assert evidence.runtimes("operator") == ("torch", "openvino")
    assert found is not None
    assert found.settings["runtime"] == "openvino"
    assert evidence.operator("conv", "openvino", channels=97) is None


def test_network_of_two_contests_is_found_in_the_one_that_compares() -> None:
    evidence = Evidence([network("fasternet_t0", mobilenet_v2=0.7), network("fasternet_t0")])

    found = evidence.times("fasternet_t0", "mobilenet_v2", "onnxruntime")

    assert found is not None
    assert found.estimate == 0.7
    assert evidence.times("fasternet_t0", "resnet50", "onnxruntime") is None
