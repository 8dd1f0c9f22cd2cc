"""Each claim judged by records made by hand, so that it comes out either way."""

from typing import Any

import pytest

from benchmarks.claims.evidence import CENTRES, FIT, MEMORY, SIMILARITY, STAGE
from benchmarks.claims.judged import document, judge, summary_rows
from benchmarks.claims.table import CLAIMS
from benchmarks.claims.verdict import Finding
from benchmarks.roofline import PEAK
from measuring.record import Measurement
from tests.benchmarks.claim_records import network, operator, record, times

EXACT = (1, 4, 5, 7, 9, 11)
NEVER_WITHOUT = (6, 12, 17)  # a GPU, or trained weights


def findings(number: int, records: list[Measurement]) -> list[Finding]:
    (judged,) = judge(records, [claim for claim in CLAIMS if claim.number == number])
    return list(judged.findings)


def verdict_of(number: int, records: list[Measurement]) -> str:
    (judged,) = judge(records, [claim for claim in CLAIMS if claim.number == number])
    return judged.verdict


def test_there_are_eighteen_and_each_has_a_verdict() -> None:
    judged = judge([])

    assert [entry.claim.number for entry in judged] == list(range(1, 19))
    assert all(entry.findings for entry in judged)
    for entry in judged:
        expected = "confirmed" if entry.claim.number in EXACT else "undecided"
        if entry.claim.number != 10:  # its counts alone decide where nothing was timed
            assert entry.verdict == expected, entry.claim.title
    assert len(summary_rows(judged)) == 18
    assert [entry["claim"] for entry in document(judged)] == list(range(1, 19))


@pytest.mark.parametrize("number", NEVER_WITHOUT)
def test_what_cannot_be_decided_here_says_what_it_needs(number: int) -> None:
    (finding,) = findings(number, [])

    assert finding.verdict == "undecided"
    assert f"stride claims {number}" in finding.reason


def depthwise(ratio: float, seconds: float) -> list[Measurement]:
    """A hundred times fewer multiplications than the regular convolution."""
    peaks: list[Measurement] = [
        record(PEAK, 0.02, what="gemm", precision="fp32", macs=10**9),
        record(PEAK, 0.01, what="copy", precision="fp32", size=10**6, bytes=10**8),
    ]
    return [
        *peaks,
        operator("conv"),
        operator("depthwise", seconds, macs=10**7, bytes=10**7, **times("conv", ratio)),
    ]


def test_claim_2_depthwise_that_moves_as_fast_as_copying_is_bound_by_memory() -> None:
    assert verdict_of(2, depthwise(0.1, seconds=0.0015)) == "confirmed"


def test_claim_2_depthwise_whose_time_falls_with_its_arithmetic_refutes() -> None:
    first, *_ = findings(2, depthwise(0.008, seconds=0.0015))

    assert first.verdict == "refuted"


def test_claim_2_depthwise_that_leaves_memory_idle_is_bound_by_something_else() -> None:
    _, second, *_ = findings(2, depthwise(0.1, seconds=0.1))

    assert second.verdict == "refuted"


def test_claim_2_prints_our_factor_beside_the_texts() -> None:
    *_, told = findings(2, depthwise(0.1, 0.0015))

    assert told.value is not None
    assert (told.counts, told.value.estimate) == (False, 100.0)
    assert "100" in told.statement


def test_claim_3_without_a_gpu_is_open_even_where_the_processor_agrees() -> None:
    records = [
        network("efficientnet_b0", regnet_x_400mf=1.8, regnet_y_400mf=1.6),
        *(network("regnet_x_400mf"), network("regnet_y_400mf")),
        *(network("efficientnet_b5", regnet_x_8gf=3.0), network("regnet_x_8gf")),
    ]

    *here, on_gpu = findings(3, records)

    assert [finding.verdict for finding in here] == ["confirmed"] * 3
    assert on_gpu.verdict == "undecided"
    assert verdict_of(3, records) == "undecided"


def test_claim_3_is_refuted_where_efficientnet_is_faster() -> None:
    records = [network("efficientnet_b0", regnet_x_400mf=0.8), network("regnet_x_400mf")]

    assert verdict_of(3, records) == "refuted"


def test_claim_6_is_decided_by_a_gpus_records() -> None:
    records = [
        operator("conv", device="cuda"),
        operator("depthwise_separable", device="cuda", macs=10**8, **times("conv", 0.5)),
    ]

    assert verdict_of(6, records) == "confirmed"


@pytest.mark.parametrize(
    ("ratios", "expected"),
    [
        pytest.param((0.5, 0.6, 1.5), "confirmed", id="most-lower"),
        pytest.param((2.0, 1.5, 0.5), "refuted", id="most-higher"),
        pytest.param((1.0, 1.0, 0.5), "undecided", id="ties"),
    ],
)
def test_claim_8_counts_networks_with_a_lower_rate(
    ratios: tuple[float, ...], expected: str
) -> None:
    names = ("mobilenet_v2", "fasternet_t0", "efficientnet_b0")
    light = [
        network(name, macs=1e8, resnet50=0.1 / rate)
        for name, rate in zip(names, ratios, strict=True)
    ]

    assert verdict_of(8, [network("resnet50", macs=1e9), *light]) == expected


@pytest.mark.parametrize(("ratio", "expected"), [(0.3, "confirmed"), (1.2, "refuted")])
def test_claim_10_needs_partial_convolution_to_be_faster(ratio: float, expected: str) -> None:
    records = [operator("partial", **times("conv", ratio), **times("depthwise", 1.4))]

    assert verdict_of(10, records) == expected


def fits(partial: float, others: float) -> list[Measurement]:
    return [
        record(FIT, layer="layer1.1.conv2", trained=False, seed=seed, student=name, mse=error)
        for seed in (0, 1)
        for name, error in (("partial", partial), ("depthwise", others), ("group", others))
    ]


@pytest.mark.parametrize(("partial", "expected"), [(0.1, "confirmed"), (0.3, "refuted")])
def test_claim_13_compares_errors_seed_by_seed(partial: float, expected: str) -> None:
    assert verdict_of(13, fits(partial, 0.2)) == expected


def test_claim_13_leaves_out_a_seed_that_one_of_the_two_lacks() -> None:
    assert verdict_of(13, fits(0.1, 0.2)[:-1]) == "confirmed"
    assert verdict_of(13, fits(0.1, 0.2)[:1]) == "undecided"


def test_claim_14_needs_fasternet_to_be_faster_than_its_rivals() -> None:
    records = [
        network("fasternet_t0", mobilenet_v2=0.7, shufflenet_v2_x1_5=0.8),
        network("fasternet_t1", shufflenet_v2_x2_0=0.9),
        network("fasternet_t2", resnet50=0.5),
    ]

    assert verdict_of(14, records) == "confirmed"
    assert verdict_of(14, [network("fasternet_t0", mobilenet_v2=1.3)]) == "refuted"


GUIDELINES = (
    ("G1", "1:12", "1:1"), ("G2", "g8", "g1"), ("G3", "4 in series", "1 fragment"),
    ("G3", "4 in parallel", "1 fragment"), ("G4", "ReLU, shortcut", "no ReLU, no shortcut"),
)  # fmt: skip


def test_claim_15_needs_every_guideline() -> None:
    good = [operator(broken, table=table, **times(kept, 1.5)) for table, broken, kept in GUIDELINES]

    assert verdict_of(15, good) == "confirmed"
    spoilt = operator("4 in parallel", table="G3", **times("1 fragment", 0.9))
    assert verdict_of(15, [*good, spoilt]) == "refuted"
    assert verdict_of(15, good[:-1]) == "undecided"


def memory(name: str, training: float, inference: float, share: float) -> Measurement:
    return record(
        MEMORY, network=name, training=training, inference=inference, macs=4e9 * share,
        parameters=25e6 * share,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("training", "inference", "expected"),
    [
        pytest.param(500, 50, "confirmed", id="much-in-training"),
        pytest.param(100, 10, "refuted", id="little-in-training"),
        pytest.param(500, 300, "refuted", id="much-at-inference"),
    ],
)
def test_claim_16_compares_memory_with_arithmetic(
    training: float, inference: float, expected: str
) -> None:
    records = [
        memory("shufflenet_v2_x1_0", training, inference, share=0.04),
        memory("resnet50", 2000, 400, share=1.0),
    ]

    assert verdict_of(16, records) == expected


@pytest.mark.parametrize(("number", "kind", "key"), [(12, CENTRES, "centre_first"),
                                                      (17, SIMILARITY, "alike")])  # fmt: skip
def test_claims_about_training_need_trained_weights(number: int, kind: str, key: str) -> None:
    settings: dict[str, Any] = {"network": "resnet18", "weights": "x.pth", key: 0.7}

    assert verdict_of(number, [record(kind, imagenet=True, **settings)]) == "confirmed"
    assert verdict_of(number, [record(kind, imagenet=True, **settings | {key: 0.3})]) == "refuted"
    assert verdict_of(number, [record(kind, imagenet=False, **settings)]) == "undecided"


def stage(side: int, seconds: float) -> Measurement:
    return record(
        STAGE, seconds, network="fasternet_t0", side=side, macs=10**8, bytes=10**6,
    )  # fmt: skip


def test_claim_18_compares_stages() -> None:
    faster = findings(18, [stage(56, 0.1), stage(28, 0.1), stage(14, 0.05), stage(7, 0.05)])
    slower = findings(18, [stage(56, 0.05), stage(28, 0.05), stage(14, 0.1), stage(7, 0.1)])

    assert (faster[-1].verdict, slower[-1].verdict) == ("confirmed", "refuted")
