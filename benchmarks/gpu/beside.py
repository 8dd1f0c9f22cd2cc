"""Runtimes beside eager PyTorch, from bytes in memory to logits in memory, in the same blocks."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing

from benchmarks.gpu.step import Context, OutOfTimeError
from benchmarks.gpu.ways import EAGER
from benchmarks.pairs import Contest, compete
from inference.artifact import Artifact
from inference.open_engine import open_engine
from measuring.cores import available_cores
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar
from measuring.timing import Schedule

_VISITS = 4  # of an engine's stage in one of these, whose blocks are compared in pairs


def beside(
    name: str, ways: Mapping[str, Artifact], context: Context
) -> Iterator[list[Measurement]]:
    """`name`: of the records; `ways`: the artifact that each runtime opens, EAGER's among them.
    Every engine has replayed its golden pictures when it is timed."""
    manifest, scale = ways[EAGER].manifest, context.scale
    threads = available_cores()
    with ExitStack() as stack:
        engines = {
            way: stack.enter_context(
                closing(open_engine(artifact, runtime=way, device=context.device, threads=threads))
            )
            for way, artifact in ways.items()
        }
        infer = {way: engine.infer for way, engine in engines.items()}
        schedule = Schedule(
            runs=scale.blocks, seconds=_VISITS * scale.visit * scale.blocks, warmup=2,
            blocks=scale.blocks,
        )  # fmt: skip
        settings: dict[str, Scalar] = {
            "network": manifest.network, "precision": manifest.precision,
            "device": context.device, "threads": threads,
        }  # fmt: skip
        for done, batch in enumerate(scale.few):
            if done and context.late():
                raise OutOfTimeError(f"{done} of {len(scale.few)} batch sizes")
            contest = Contest(name, EAGER, manifest.input.size, batch, settings)
            yield compete(contest, infer, fingerprint(), schedule)
