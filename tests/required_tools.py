"""Skips for want of a program become failures where STRIDE_REQUIRE_TOOLS=1, as in `.ci/run`:
there everything is installed, and a test that did not run must not look like one that passed."""

import os
import re
from collections.abc import Generator
from typing import TypeVar

import pytest

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

_TOOLS = re.compile(
    r"\b(prometheus|promtool|chromium|playwright|perf_analyzer|docker-compose|wrk|hey)\b",
    re.IGNORECASE,
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _required((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _required((yield))


def _required(report: Report) -> Report:
    """The report; failed where it says that the test was skipped for want of a tool."""
    if report.skipped and os.environ.get("STRIDE_REQUIRE_TOOLS") == "1":
        # (path, line, reason) of a skip; an expected failure has another kind.
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if found := _TOOLS.search(reason):
            report.outcome = "failed"
            report.longrepr = (
                f"skipped, but STRIDE_REQUIRE_TOOLS=1 asks for {found[0]}: {reason}\n"
                "run scripts/install-test-tools and scripts/install-perf-analyzer"
            )
    return report
