"""Claim 18: FasterNet's stages under the roofline."""

from collections.abc import Sequence

import numpy as np

from benchmarks.claims.evidence import STAGE, Evidence
from benchmarks.claims.verdict import (
    NOT_MEASURED,
    Finding,
    above,
    below,
    exactly,
)
from benchmarks.layer_times import profile
from benchmarks.layers import QUICK_RUNS, RUNS, partial_shapes
from benchmarks.network_graphs import input_spec, network_graph, pictures
from benchmarks.operation_kinds import kind, macs
from measuring.bootstrap import Interval
from measuring.latencies import latencies
from measuring.machine import Machine
from measuring.record import Measurement, Scalar, now
from models import cost, create, sketch
from models.cost import Cost, LayerCost

NETWORK = "fasternet_t0"
VARIANTS = ("fasternet_t0", "fasternet_t1", "fasternet_t2", "fasternet_s", "fasternet_m",
            "fasternet_l")  # fmt: skip
SIDES = (56, 28, 14, 7)  # of the maps of the four stages
_IN_BLOCKS = ("partial", "pointwise")


def last_stages(evidence: Evidence) -> list[Finding]:
    """Memory access of a block by the cost model, rates by the runtimes' profilers."""
    found = []
    for name in VARIANTS:
        early, late = block_bytes(cost(sketch(name), 224))
        found.append(
            below(f"{name}: bytes moved by a block of the last two stages, of the first two's",
                  exactly(late / early), 1.0)
        )  # fmt: skip
    runtimes = dict.fromkeys(
        str(m.settings["runtime"]) for m in evidence.find(STAGE, network=NETWORK)
    )
    for runtime in runtimes:
        records = evidence.find(STAGE, network=NETWORK, runtime=runtime)
        early_rate, late_rate = (_rate(records, sides) for sides in (SIDES[:2], SIDES[2:]))
        found.append(
            above(
                f"{runtime}, {NETWORK}: rate of the convolutions in the last two stages, of those "
                "in the first two",
                _quotient(late_rate, early_rate),
                1.0,
            )
        )
    if not runtimes:
        found.append(Finding("rate by stage", None, "above", 1.0, reason=NOT_MEASURED))
    return found


def block_bytes(counted: Cost) -> tuple[float, float]:
    """Bytes that a block moves on average, in the first two stages and in the last two."""
    blocks: dict[str, list[LayerCost]] = {}
    for layer in counted.layers:
        if ".blocks." in layer.name:
            stage, _, rest = layer.name.partition(".blocks.")
            blocks.setdefault(f"{stage}.{rest.partition('.')[0]}", []).append(layer)
    stages: dict[int, list[int]] = {}
    for block, layers in blocks.items():
        stage_number = int(block.split(".")[1])
        stages.setdefault(stage_number, []).append(sum(layer.bytes_moved for layer in layers))
    ordered = [stages[number] for number in sorted(stages)]
    early, late = (ordered[0] + ordered[1], ordered[2] + ordered[3])
    return sum(early) / len(early), sum(late) / len(late)


def measure_stages(
    runtime: str, machine: Machine, *, threads: int, quick: bool
) -> list[Measurement]:
    """A record for each stage: seconds of its partial and pointwise convolutions in each run."""
    started = now()
    size = input_spec(NETWORK).size
    runs = QUICK_RUNS if quick else RUNS
    found = profile(
        runtime, network_graph(NETWORK, runtime), pictures(1, size), threads=threads, runs=runs
    )
    partial = partial_shapes(create(NETWORK))
    records = []
    for side in SIDES:
        some = [
            each for each in found
            if kind(each, partial) in _IN_BLOCKS and each.output[-2:] == (side, side)
        ]  # fmt: skip
        settings: dict[str, Scalar] = {
            "network": NETWORK, "runtime": runtime, "device": "cpu", "threads": threads,
            "side": side, "macs": sum(map(macs, some)), "bytes": sum(each.moved for each in some),
        }  # fmt: skip
        seconds = np.sum([each.seconds for each in some], axis=0).tolist()
        records.append(Measurement(STAGE, settings, latencies(seconds), machine, started))
    return records


def _rate(records: Sequence[Measurement], sides: Sequence[int]) -> Interval | None:
    """Multiply-accumulates per second, by the middle half of the runs."""
    some = [m for m in records if m.settings["side"] in sides]
    if not some:
        return None
    work = sum(int(str(m.settings["macs"])) for m in some)
    quarter, middle, three_quarters = (
        sum(m.latencies.percentile(rank) for m in some) for rank in (25.0, 50.0, 75.0)
    )
    return Interval(work / middle, work / three_quarters, work / quarter, 0.5)


def _quotient(one: Interval | None, other: Interval | None) -> Interval | None:
    if one is None or other is None:
        return None
    return Interval(
        one.estimate / other.estimate, one.low / other.high, one.high / other.low, one.confidence
    )
