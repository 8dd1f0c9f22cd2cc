"""Claim 16: the memory that a step of training needs, in a process of its own.

    python -m benchmarks.claims.training_memory NETWORK BATCH

prints {"inference": bytes, "training": bytes}: the most at once, beyond what the loaded network
and libraries take.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from benchmarks.claims.evidence import MEMORY, Evidence, value
from benchmarks.claims.verdict import NOT_MEASURED, Finding, above, below, exactly, spread
from measuring.errors import CheckError
from measuring.latencies import latencies
from measuring.machine import Machine
from measuring.memory import memory
from measuring.record import Measurement, now
from models import cost, create, sketch

NETWORKS = ("shufflenet_v2_x1_0", "resnet50", "mobilenet_v2", "fasternet_t0")
BATCH, SIZE = 16, 224
_RESET = Path("/proc/self/clear_refs")
_PEAK = "5"  # what the kernel takes as: forget the most that there was


def measure_memory(machine: Machine, *, quick: bool) -> list[Measurement]:
    """A record for each network and repeat. Raises CheckError where a process ends badly."""
    networks = NETWORKS[:2] if quick else NETWORKS
    repeats = 1 if quick else 2
    return [_measured(name, machine) for name in networks for _ in range(repeats)]


def _measured(name: str, machine: Machine) -> Measurement:
    started, clock = now(), time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.claims.training_memory", name, str(BATCH)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise CheckError(
            f"training {name} for its memory ended with code {done.returncode}: "
            f"{done.stderr.strip()[-300:]}; is there enough memory?"
        )
    peaks = json.loads(done.stdout)
    counted = cost(sketch(name), SIZE)
    settings = {
        "network": name, "batch": BATCH, "macs": counted.macs, "parameters": counted.parameters,
        "inference": peaks["inference"], "training": peaks["training"],
    }  # fmt: skip
    seconds = latencies([time.perf_counter() - clock])
    return Measurement(MEMORY, settings, seconds, machine, started)


def training_memory(evidence: Evidence) -> list[Finding]:
    """Claim 16: ShuffleNetV2 against ResNet-50."""
    ours, theirs = (evidence.find(MEMORY, network=name) for name in NETWORKS[:2])
    if not ours or not theirs:
        return [Finding("memory of a training step", None, "above", 1.0, reason=NOT_MEASURED)]
    reference = theirs[-1]
    macs, parameters = (
        value(ours[-1], key) / value(reference, key) for key in ("macs", "parameters")
    )
    training = _shares(evidence, "training")
    kept = [value(m, "inference") / value(m, "training") for m in ours]
    share = spread([each / macs for each in training])
    return [
        below("its multiplications, of ResNet-50's", exactly(macs), 0.1),
        below("its parameters, of ResNet-50's", exactly(parameters), 0.1),
        above("its memory in training, of ResNet-50's, over its share of the multiplications",
              share, 3.0),
        below("its memory at inference, of its own in training", spread(kept), 0.25),
        *(_beside(name, evidence) for name in NETWORKS),
    ]  # fmt: skip


def _shares(evidence: Evidence, what: str) -> list[float]:
    ours, theirs = (evidence.find(MEMORY, network=name) for name in NETWORKS[:2])
    reference = [value(m, what) for m in theirs]
    return [value(m, what) / each for m in ours for each in reference]


def _beside(name: str, evidence: Evidence) -> Finding:
    megabytes = [value(m, "training") / BATCH / 1e6 for m in evidence.find(MEMORY, network=name)]
    statement = f"{name}: memory in training for each picture"
    return Finding(statement, spread(megabytes), "above", 0.0, "MB", NOT_MEASURED, counts=False)


def main() -> None:
    """In the process of its own."""
    name, batch = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(1)
    network = create(name)
    given, labels = torch.randn(batch, 3, SIZE, SIZE), torch.randint(1000, (batch,))
    with torch.inference_mode():
        network.eval()(given[:1])
        inference = _most(lambda: network(given))
    network.train()
    training = _most(lambda: cross_entropy(network(given), labels).backward())  # type: ignore[no-untyped-call]
    json.dump({"inference": inference, "training": training}, sys.stdout)


def _most(step: Callable[[], object]) -> int:
    """Bytes at the most, beyond those before it."""
    before = memory(os.getpid())
    _RESET.write_text(_PEAK, encoding="ascii")
    step()
    after = memory(os.getpid())
    if before is None or after is None:
        raise CheckError("the kernel does not tell how much memory this process has")
    return after.peak - before.resident


if __name__ == "__main__":
    main()
