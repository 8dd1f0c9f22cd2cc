"""The service that people write first: FastAPI, Pillow and ONNX Runtime, inference in the handler.

    python -m benchmarks.baseline_service ARTIFACT [--processes 2]

One process for each core; no queue, no batching, no deadlines, no metrics. It serves the fp32 file
of a Stride artifact, so that the network itself is the same. Two details are better than usual, for
fairness: a session has one thread, or the processes would fight for the cores, and uvloop is used,
without which several workers cost 40 ms on every request of a kept connection (Nagle's algorithm).
"""

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import uvicorn
from fastapi import FastAPI, Request, Response
from PIL import Image

from inference.manifest import Manifest, read_manifest

ARTIFACT = "BASELINE_ARTIFACT"


@click.command()
@click.argument("artifact", type=click.Path(exists=True, file_okay=False))
@click.option("--processes", type=click.IntRange(1), default=2, show_default=True)
def main(artifact: str, processes: int) -> None:
    """Serve ARTIFACT on a free port of this machine."""
    os.environ[ARTIFACT] = artifact
    uvicorn.run(
        "benchmarks.baseline_service:application",
        factory=True, workers=processes, port=0, loop="uvloop", http="httptools", access_log=False,
    )  # fmt: skip


def application() -> FastAPI:
    """Two routes: an image file to the best five classes, raw pixels to raw logits."""
    directory = Path(os.environ[ARTIFACT])
    manifest = read_manifest(directory)
    spec, labels = manifest.input, manifest.labels
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        directory / fp32_file(manifest), options, providers=["CPUExecutionProvider"]
    )
    app = FastAPI()

    @app.get("/readyz")
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    @app.post("/classify")
    async def classify(request: Request) -> list[dict[str, Any]]:
        image = Image.open(BytesIO(await request.body())).convert("RGB")
        shorter = min(image.size)
        width, height = (spec.resize * side // shorter for side in image.size)
        left, top = (round((side - spec.size) / 2) for side in (width, height))
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        image = image.crop((left, top, left + spec.size, top + spec.size))
        (logits,) = session.run(["logits"], {"pixels": np.asarray(image)[None]})
        chances = np.exp(logits[0] - logits[0].max())
        chances /= chances.sum()
        best = np.argsort(chances)[::-1][:5]
        return [{"label": labels[i], "probability": float(chances[i])} for i in best]

    @app.post("/infer")
    async def infer(request: Request) -> Response:
        pixels = np.frombuffer(await request.body(), np.uint8)
        batch = pixels.reshape(1, spec.size, spec.size, 3)
        (logits,) = session.run(["logits"], {"pixels": batch})
        return Response(logits.tobytes(), media_type="application/octet-stream")

    return app


def fp32_file(manifest: Manifest) -> str:
    """The file that the artifact has for ONNX Runtime on a processor."""
    return next(variant.file for variant in manifest.variants if "onnxruntime" in variant.runtimes)


if __name__ == "__main__":
    main()
