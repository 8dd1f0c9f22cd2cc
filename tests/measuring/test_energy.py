from pathlib import Path

from measuring.energy import Counter, processor_energy, used


def write_domain(directory: Path, number: str, name: str, microjoules: int) -> None:
    domain = directory / f"intel-rapl:{number}"
    domain.mkdir()
    (domain / "name").write_text(f"{name}\n")
    (domain / "energy_uj").write_text(f"{microjoules}\n")
    (domain / "max_energy_range_uj").write_text("100000000\n")


def test_processor_energy_counts_packages_and_not_their_parts(tmp_path: Path) -> None:
    write_domain(tmp_path, "0", "package-0", 2_000_000)
    write_domain(tmp_path, "0:0", "core", 1_000_000)
    (tmp_path / "intel-rapl:1").mkdir()  # one that cannot be read
    assert processor_energy(directory=tmp_path) == {"package-0": Counter(2.0, 100.0)}
    assert processor_energy(directory=tmp_path / "nowhere") == {}


def test_used_energy_survives_a_counter_that_begins_again() -> None:
    before = {"package-0": Counter(90.0, 100.0), "package-1": Counter(1.0, 100.0)}
    after = {"package-0": Counter(5.0, 100.0), "package-1": Counter(3.5, 100.0)}
    assert used(before, after) == 17.5
    assert used(before, {}) is None
