"""As `stride` does, let OpenMP's idle threads sleep: read when torch is imported."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# After the setting, which must stand before anything else is imported.
from tests.required_tools import (
    pytest_make_collect_report,
    pytest_runtest_makereport,
)

__all__ = ["pytest_make_collect_report", "pytest_runtest_makereport"]
