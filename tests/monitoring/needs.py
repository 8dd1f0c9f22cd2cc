"""Debian's Prometheus, where scripts/install-test-tools could get it."""

import shutil

import pytest

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="Prometheus is not here, see scripts/install-test-tools",
)
