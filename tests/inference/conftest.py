"""An artifact on disk, and a way to change what its manifest says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference.artifact import describe
from inference.manifest import read_manifest, write_manifest
from tests.tiny import write_tiny

Edit = Callable[..., None]


@pytest.fixture
def artifact_directory(tmp_path: Path) -> Path:
    """A good artifact in a repository of its own: 8 x 8 pixels to five classes."""
    return write_tiny(tmp_path / "artifacts", "mean-colour", size=8, classes=5)


@pytest.fixture
def change_manifest() -> Edit:
    """`change(directory, field=value, ...)`; the checksums are those of the files as they are."""

    def change(directory: Path, **fields: Any) -> None:
        manifest = read_manifest(directory)
        files = {name: describe(directory / name) for name in manifest.files}
        write_manifest(directory, replace(manifest, files=files, **fields))

    return change
