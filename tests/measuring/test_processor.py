from pathlib import Path

from measuring.processor import FEATURES, frequency, governor, processor

XEON = """processor\t: {number}
model name\t: Intel(R) Xeon(R)  Platinum 8488C
cpu MHz\t\t: {clock}
physical id\t: 0
core id\t\t: {core}
flags\t\t: fpu sse avx2 fma avx512f avx512_vnni amx_tile amx_int8 hypervisor
"""


def kernel(root: Path, cpuinfo: str) -> Path:
    (root / "cpuinfo").write_text(cpuinfo)
    return root


def test_processor_of_two_cores_with_two_threads_each_is_read(tmp_path: Path) -> None:
    entries = [XEON.format(number=i, core=i % 2, clock=2400 + i) for i in range(4)]
    found = processor(proc=kernel(tmp_path, "\n".join(entries)))
    assert found.model == "Intel(R) Xeon(R) Platinum 8488C"
    assert found.features == ("avx2", "fma", "avx512f", "avx512_vnni", "amx_tile", "amx_int8")
    assert (found.physical_cores, found.logical_cores) == (2, 4)
    assert found.virtual


def test_processor_of_arm_is_read(tmp_path: Path) -> None:
    entry = (
        "processor\t: {}\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd asimddp bf16 sve\n"
        "CPU implementer\t: 0x41\nCPU part\t: 0xd40\n"
    )
    found = processor(proc=kernel(tmp_path, "\n".join(entry.format(i) for i in range(2))))
    assert found.model == "Arm implementer 0x41 part 0xd40"
    assert found.features == ("asimd", "asimddp", "bf16", "sve")
    assert (found.physical_cores, found.logical_cores) == (2, 2)
    assert not found.virtual


def test_processor_that_the_kernel_does_not_tell_of_still_has_cores(tmp_path: Path) -> None:
    found = processor(proc=tmp_path)
    assert found.logical_cores >= found.physical_cores >= 1
    assert found.features == ()
    assert found.model


def test_frequency_is_the_fastest_cores_in_hertz(tmp_path: Path) -> None:
    entries = [XEON.format(number=i, core=i, clock=2400.5 + i) for i in range(2)]
    assert frequency(proc=kernel(tmp_path, "\n".join(entries))) == 2401.5e6


def test_frequency_that_is_not_told_is_none(tmp_path: Path) -> None:
    assert frequency(proc=tmp_path) is None


def test_governor_is_read(tmp_path: Path) -> None:
    (tmp_path / "cpu0" / "cpufreq").mkdir(parents=True)
    (tmp_path / "cpu0" / "cpufreq" / "scaling_governor").write_text("powersave\n")
    assert governor(devices=tmp_path) == "powersave"


def test_governor_that_is_not_shown_is_none(tmp_path: Path) -> None:
    assert governor(devices=tmp_path) is None


def test_processor_of_this_machine_lists_known_features_only() -> None:
    assert set(processor().features) <= set(FEATURES)
