"""As `stride` does, let OpenMP's idle threads sleep: read when torch is imported."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
