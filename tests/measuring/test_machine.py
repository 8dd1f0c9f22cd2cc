import subprocess
import sys
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from measuring.gpu import Gpu
from measuring.machine import Machine, Moment, available_cores, fingerprint
from measuring.processor import Processor

XEON = Processor(
    model="Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz",
    architecture="x86_64",
    features=("avx2",),
    physical_cores=4,
    logical_cores=8,
    virtual=False,
)
H200 = Gpu("NVIDIA H200", "595.10", 150_000_000_000, "9.0", mig=False)
SMALL = Machine(
    processor=XEON,
    affinity=(0, 1, 2, 3),
    quota=2.5,
    memory=8 << 30,
    gpus=None,
    system="Linux 6.1",
    python="3.11.7",
    libraries={"onnxruntime": "1.31.1", "numpy": "2.4.6"},
    moment=Moment("performance", 2.4e9, 0.5, {"OMP_NUM_THREADS": "2"}, ()),
)


def test_machine_cores_are_the_quota_rounded_down() -> None:
    assert SMALL.cores == 2
    assert replace(SMALL, quota=0.5).cores == 1
    assert replace(SMALL, quota=None).cores == 4


def test_machine_key_names_the_processor_and_cores() -> None:
    assert SMALL.key == "intel-xeon-e5-2680-v4-2-cores-" + SMALL.key[-8:]
    assert replace(SMALL, gpus=(H200,)).key.startswith("intel-xeon-e5-2680-v4-nvidia-h200-2-cores")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(SMALL, moment=Moment(None, None, 9.0, {}, ())), id="moment"),
        pytest.param(replace(SMALL, libraries={"torch": "2.13.0"}), id="libraries"),
        pytest.param(replace(SMALL, system="Linux 6.2"), id="kernel"),
        pytest.param(replace(SMALL, affinity=(4, 5, 6, 7)), id="which-cores"),
        pytest.param(replace(SMALL, memory=SMALL.memory + 4096), id="a-page-of-memory"),
    ],
)
def test_machine_key_stays_when_only_this_differs(other: Machine) -> None:
    assert other.key == SMALL.key


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(SMALL, quota=4.0), id="cores-granted"),
        pytest.param(replace(SMALL, gpus=(H200,)), id="gpu"),
        pytest.param(replace(SMALL, processor=replace(XEON, features=())), id="instruction-set"),
        pytest.param(replace(SMALL, processor=replace(XEON, virtual=True)), id="virtual"),
    ],
)
def test_machine_key_changes_when_this_differs(other: Machine) -> None:
    assert other.key != SMALL.key


def test_machine_differences_name_what_changed() -> None:
    other = replace(
        SMALL, quota=4.0, libraries={"onnxruntime": "1.32.0", "torch": "2.13.0"}, gpus=(H200,)
    )
    assert SMALL.differences(other) == ("cores 2 -> 4", "onnxruntime 1.31.1 -> 1.32.0")
    assert SMALL.differences(SMALL) == ()


def test_machine_differences_see_a_new_driver() -> None:
    with_gpu = replace(SMALL, gpus=(H200,))
    newer = replace(SMALL, gpus=(replace(H200, driver="600.1"),))
    assert with_gpu.key == newer.key
    assert with_gpu.differences(newer) == (
        "gpus NVIDIA H200 (driver 595.10) -> NVIDIA H200 (driver 600.1)",
    )


def test_fingerprint_describes_this_machine() -> None:
    machine = fingerprint()
    assert machine.cores == available_cores()
    assert machine.memory > 1 << 28
    assert machine.libraries["numpy"]
    assert machine.key == fingerprint().key


def test_fingerprint_records_thread_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("SECRET_TOKEN", "never kept")
    environment = fingerprint().moment.environment
    assert environment["OMP_NUM_THREADS"] == "3"
    assert "SECRET_TOKEN" not in environment


def test_machine_survives_json() -> None:
    adapter = TypeAdapter(Machine)
    machine = replace(SMALL, gpus=(H200,))
    assert adapter.validate_json(adapter.dump_json(machine)) == machine


def test_fingerprint_imports_no_library_to_ask_its_version() -> None:
    code = (
        "import sys; from measuring.machine import fingerprint; fingerprint(); "
        "print([m for m in ('numpy', 'torch', 'onnxruntime', 'fastapi') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
