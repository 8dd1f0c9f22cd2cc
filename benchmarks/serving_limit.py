"""What the engines can do without HTTP: each thread decodes and infers, one picture after another.

    python -m benchmarks.serving_limit ARTIFACT RUNTIME INSTANCES

Reads questions from standard input, a JSON object a line, `{"picture": FILE, "kind": "jpeg" or
"tensor", "seconds": S}`, and answers each with `{"requests", "seconds", "cpu", "latencies"}`. Same
engines and same decoding as the service, no queue, no hand-over, no answer.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inference.artifact import read_artifact
from inference.decode import read_picture
from inference.engine import Engine, Pixels
from inference.open_engine import open_engine
from inference.resample import resample, shortest_side
from measuring.input_spec import InputSpec

MAX_PIXELS = 50_000_000

Prepare = Callable[[bytes], Pixels]


def main() -> None:
    """See the module."""
    directory, runtime, instances = sys.argv[1:]
    artifact = read_artifact(Path(directory))
    engines = [open_engine(artifact, runtime=runtime, threads=1) for _ in range(int(instances))]
    kinds = preparations(artifact.manifest.input)
    for line in sys.stdin:
        asked = json.loads(line)
        data = Path(asked["picture"]).read_bytes()
        found = run(engines, kinds[asked["kind"]], data, asked["seconds"])
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


def preparations(spec: InputSpec) -> dict[str, Prepare]:
    """From the bytes of a request to the picture (size, size, 3), by kind of body."""
    shortest = shortest_side([spec])
    return {
        "jpeg": lambda data: resample(
            read_picture(data, max_pixels=MAX_PIXELS, shortest=shortest), spec
        ),
        "tensor": lambda data: np.frombuffer(data, np.uint8).reshape(spec.size, spec.size, 3),
    }


def run(engines: Sequence[Engine], prepare: Prepare, data: bytes, seconds: float) -> dict[str, Any]:
    """All engines busy for so many seconds."""
    latencies: list[list[float]] = [[] for _ in engines]
    started, cpu = time.perf_counter(), time.process_time()
    threads = [
        threading.Thread(target=_work, args=(engine, prepare, data, started + seconds, mine))
        for engine, mine in zip(engines, latencies, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    taken = [seconds for mine in latencies for seconds in mine]
    return {
        "requests": len(taken),
        "seconds": elapsed,
        "cpu": time.process_time() - cpu,
        "latencies": taken,
    }


def _work(
    engine: Engine, prepare: Prepare, data: bytes, until: float, latencies: list[float]
) -> None:
    now = time.perf_counter()
    while now < until:
        engine.infer(prepare(data)[None])
        then, now = now, time.perf_counter()
        latencies.append(now - then)


if __name__ == "__main__":
    main()
