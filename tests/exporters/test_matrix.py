"""Every network in every precision, the whole way: rewrite, export, convert, open, verify.

`make test` takes the light ones at a small size; `make test-full` all of them at their own.
"""

from pathlib import Path

import pytest

from exporters.export import export
from exporters.formats import recipes_for
from exporters.source import Source
from inference.manifest import Precision
from inference.verify_artifact import verify_artifact
from measuring.input_spec import InputSpec
from measuring.processor import processor
from models import load, names

SMALL = InputSpec(size=64, resize=64)
LIGHT = (
    *("fasternet_t0", "mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small"),
    *("mobilenet_v4_conv_small", "shufflenet_v2_x0_5", "resnet18", "regnet_x_400mf"),
)
BFLOAT16 = not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(processor().features)
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8", *(("bf16",) if BFLOAT16 else ()))


def require_every_precision(source: Source, repository: Path) -> None:
    for precision in PRECISIONS:
        artifact = export(
            source,
            artifact_name="net",
            format="onnx",
            precision=precision,
            repository=repository,
        )
        manifest = artifact.manifest
        assert [variant.runtimes for variant in manifest.variants] == [
            recipe.runtimes for recipe in recipes_for("onnx", precision)
        ]
        assert all(parity.holds for parity in manifest.parity)
        assert all(variant.parity.holds for variant in manifest.variants)
        assert verify_artifact(artifact.directory).holds


@pytest.mark.parametrize("name", LIGHT)
def test_network_exports_in_every_precision(name: str, tmp_path: Path) -> None:
    loaded = load(name, "untrained", num_classes=10, input_spec=SMALL)
    require_every_precision(Source(loaded, name), tmp_path)


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", names())
def test_network_exports_in_every_precision_at_its_own_size(name: str, tmp_path: Path) -> None:
    require_every_precision(Source(load(name, "untrained"), name), tmp_path)
