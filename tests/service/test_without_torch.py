"""Serving an ONNX artifact where torch is not installed, nor anything that export needs."""

from pathlib import Path

from tests.service.client import png
from tests.service.process import ServiceProcess
from tests.tiny import write_tiny


def test_service_runs_where_importing_torch_fails(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    for package in ("torch", "onnx", "onnxscript", "safetensors", "skimage", "sklearn"):
        (blocked / package).mkdir(parents=True)
        (blocked / package / "__init__.py").write_text(f"raise ImportError('{package} is blocked')")
    write_tiny(tmp_path / "artifacts")
    service = ServiceProcess(
        tmp_path / "artifacts", "--drain-delay", "0", PYTHONPATH=str(blocked)
    ).wait_until_ready()

    reply = service.client.post("/v1/classify", png())

    assert reply.status == 200, reply.data
    assert service.stop() == 0
    assert "blocked" not in service.text
