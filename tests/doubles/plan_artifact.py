"""The tiny artifact as a TensorRT artifact, its plan built by the double."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from exporters.plan_options import BatchProfile, PlanOptions
from exporters.tensorrt_plan import write_plan
from inference.artifact import Artifact, describe, read_artifact
from inference.engine import Engine
from inference.manifest import Variant, read_manifest, write_manifest
from inference.open_engine import open_engine
from tests.tiny import write_tiny


def build_artifact(repository: Path, **options: Any) -> Artifact:
    """8 x 8 pixels to five classes, batches of 1 to 16 unless the options say otherwise."""
    directory = write_tiny(repository, "mean-colour", size=8, classes=5)
    bound_to = write_plan(
        directory,
        directory / "model.onnx",
        PlanOptions(**{"batch": BatchProfile(1, 4, 16), **options}),
        cache_folder=repository / "cache",
    )
    plan = directory.rename(repository / "mean-colour-tensorrt-fp32")
    manifest = read_manifest(plan)
    variant = Variant("model.plan", ("tensorrt",), manifest.parity[0], devices=("cuda",))
    files = {name: describe(plan / name) for name in ("model.plan", "reference.npz")}
    changed = replace(
        manifest,
        id=plan.name,
        format="tensorrt",
        bound_to=bound_to,
        variants=(variant,),
        files=files,
    )
    write_manifest(plan, changed)
    return read_artifact(plan)


def change_artifact(artifact: Artifact, **fields: Any) -> Artifact:
    """What the manifest says, changed."""
    write_manifest(artifact.directory, replace(artifact.manifest, **fields))
    return read_artifact(artifact.directory)


def open_plan(artifact: Artifact) -> Engine:
    """With the double of TensorRT."""
    return open_engine(artifact, runtime="tensorrt", device="cuda")
