"""Engines of OpenVINO opened side by side in a fresh process, as a service opens its instances."""

import subprocess
import sys

import pytest

pytest.importorskip("inference.openvino_engine", reason="OpenVINO is not installed")

SCRIPT = """
import threading

from inference import openvino_engine

together = threading.Barrier(4)


def name() -> None:
    together.wait()
    openvino_engine.ov.Type.f32.to_dtype()


threads = [threading.Thread(target=name, daemon=True) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_first_uses_in_several_threads_do_not_wait_for_each_other() -> None:
    """Without the look-up at import, some of these processes never end."""
    processes = [subprocess.Popen([sys.executable, "-c", SCRIPT]) for _ in range(6)]
    try:
        assert [process.wait(60) for process in processes] == [0] * 6
    finally:
        for process in processes:
            process.kill()
