"""A test that was skipped for want of a tool fails the run of CI, and only that run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SKIPPED = """
import pytest

@pytest.mark.skipif(True, reason="Prometheus is not here, see scripts/install-test-tools")
def test_marked(): pass

def test_found_out_inside():
    pytest.skip("no Chromium here")

@pytest.fixture
def analyzer():
    pytest.skip("perf_analyzer is not here")

def test_fixture(analyzer): pass
"""
OTHERWISE = """
import pytest

@pytest.mark.skipif(True, reason="needs a CUDA GPU")
def test_marked(): pass

@pytest.mark.xfail(reason="Chromium is slow")
def test_expected_to_fail(): assert False

def test_passes(): pass
"""
MODULE = 'import pytest\npytest.skip("promtool is not here", allow_module_level=True)\n'


def run(folder: Path, source: str, **environment: str) -> tuple[int, str]:
    """Exit code and output of pytest on one file with the hooks of this suite."""
    (folder / "test_it.py").write_text(source, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if name != "STRIDE_REQUIRE_TOOLS"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.required_tools", "-p", "no:cacheprovider",
         "-ra", "--rootdir", str(folder), "-c", os.devnull, str(folder)],
        env=kept | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | environment,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_skips_fail_where_tools_are_required(tmp_path: Path) -> None:
    code, output = run(tmp_path, SKIPPED, STRIDE_REQUIRE_TOOLS="1")

    assert code == 1
    assert "1 failed, 2 errors" in output  # two of them were skipped before they began
    assert "asks for Prometheus" in output
    assert "asks for perf_analyzer" in output
    assert "run scripts/install-test-tools" in output


@pytest.mark.parametrize("source", [SKIPPED, OTHERWISE], ids=["tools", "something-else"])
def test_skips_stay_skips_where_nothing_is_required(tmp_path: Path, source: str) -> None:
    code, output = run(tmp_path, source)

    assert code == 0, output
    assert "3 skipped" in output or "1 passed, 1 skipped, 1 xfailed" in output


def test_skips_for_other_reasons_stay_skips_where_tools_are_required(tmp_path: Path) -> None:
    code, output = run(tmp_path, OTHERWISE, STRIDE_REQUIRE_TOOLS="1")

    assert code == 0, output
    assert "1 passed, 1 skipped, 1 xfailed" in output


def test_a_skipped_module_fails_where_tools_are_required(tmp_path: Path) -> None:
    code, output = run(tmp_path, MODULE, STRIDE_REQUIRE_TOOLS="1")

    assert code != 0
    assert "asks for promtool" in output


def install(folder: Path, *present: str) -> subprocess.CompletedProcess[str]:
    """The script where there are these programs, and no package manager."""
    for name in ("bash", "id", "sort", "xargs", "echo"):
        (folder / name).symlink_to(str(shutil.which(name)))
    for name in present:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return subprocess.run(
        ["bash", str(ROOT / "scripts" / "install-test-tools")],
        env={"PATH": str(folder)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


TOOLS = ("prometheus", "promtool", "chromium", "wrk", "hey", "docker-compose")


def test_install_does_nothing_where_everything_is(tmp_path: Path) -> None:
    done = install(tmp_path, *TOOLS)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_install_says_what_is_missing_where_it_cannot_help(tmp_path: Path) -> None:
    done = install(tmp_path, *TOOLS[:3])

    assert done.returncode == 0
    assert "tests that run them are skipped: wrk hey docker-compose." in done.stderr
    assert "no Debian" in done.stderr


def test_ci_requires_the_tools_and_installs_them() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert "scripts/install-test-tools" in script
    assert "STRIDE_REQUIRE_TOOLS=1" in script
