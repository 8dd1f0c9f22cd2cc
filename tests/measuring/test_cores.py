import os
from pathlib import Path

import pytest

from measuring.cores import affinity, available_cores, cpu_quota


def control_groups(root: Path, membership: str, files: dict[str, str]) -> tuple[Path, Path]:
    """A small kernel: `/proc` and `/sys/fs/cgroup` with the given files."""
    proc, groups = root / "proc", root / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(membership)
    for name, text in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text)
    return proc, groups


@pytest.mark.parametrize(
    ("membership", "files", "quota"),
    [
        pytest.param("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5, id="v2-root"),
        pytest.param("0::/\n", {"cpu.max": "max 100000\n"}, None, id="v2-unlimited"),
        pytest.param("0::/a/b\n", {"a/b/cpu.max": "200000 100000"}, 2.0, id="v2-group"),
        pytest.param(
            "0::/a/b\n",
            {"a/b/cpu.max": "400000 100000", "a/cpu.max": "100000 100000"},
            1.0,
            id="v2-parent-is-tighter",
        ),
        pytest.param(
            "0::/../../host/path\n", {"cpu.max": "300000 100000"}, 3.0, id="v2-host-path-in-a-box"
        ),
        pytest.param(
            "4:cpu,cpuacct:/d\n",
            {"cpu/d/cpu.cfs_quota_us": "50000", "cpu/d/cpu.cfs_period_us": "100000"},
            0.5,
            id="v1-group",
        ),
        pytest.param(
            "4:cpu,cpuacct:/unseen\n",
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "250000",
                "cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            2.5,
            id="v1-joint-mount",
        ),
        pytest.param(
            "4:cpu:/\n",
            {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
            None,
            id="v1-unlimited",
        ),
        pytest.param("0::/\n", {"cpu.max": "garbage"}, None, id="unreadable-number"),
        pytest.param("3:memory:/\n", {}, None, id="no-cpu-controller"),
    ],
)
def test_cpu_quota_is_read(
    tmp_path: Path, membership: str, files: dict[str, str], quota: float | None
) -> None:
    proc, groups = control_groups(tmp_path, membership, files)
    assert cpu_quota(proc=proc, cgroups=groups) == quota


def test_cpu_quota_without_control_groups_is_unlimited(tmp_path: Path) -> None:
    assert cpu_quota(proc=tmp_path, cgroups=tmp_path) is None


def test_available_cores_without_quota_is_the_affinity(tmp_path: Path) -> None:
    assert available_cores(proc=tmp_path, cgroups=tmp_path) == len(affinity())


def test_available_cores_under_half_a_core_is_one(tmp_path: Path) -> None:
    proc, groups = control_groups(tmp_path, "0::/\n", {"cpu.max": "50000 100000"})
    assert available_cores(proc=proc, cgroups=groups) == 1


def test_available_cores_large_quota_is_capped_by_affinity(tmp_path: Path) -> None:
    proc, groups = control_groups(tmp_path, "0::/\n", {"cpu.max": "99900000 100000"})
    assert available_cores(proc=proc, cgroups=groups) == len(affinity())


def test_available_cores_of_this_machine_is_within_its_count() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)
