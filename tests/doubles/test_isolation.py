"""What the doubles stand in for is imported in as few files as they say."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "cli.py",
    "commands",
    "demo",
    "exporters",
    "inference",
    "measuring",
    "models",
    "service",
)


def _importers(library: str) -> set[str]:
    found = set()
    for package in PACKAGES:
        for path in [ROOT / package, *(ROOT / package).rglob("*.py")]:
            if path.suffix != ".py":
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
                if library in {name.partition(".")[0] for name in names}:
                    found.add(path.relative_to(ROOT).as_posix())
    return found


@pytest.mark.parametrize(
    ("library", "files"),
    [
        pytest.param(
            "tensorrt",
            {"exporters/tensorrt_export.py", "inference/tensorrt_engine.py"},
            id="tensorrt",
        ),
        pytest.param("cuda", {"inference/cuda_device.py"}, id="cuda"),
    ],
)
def test_library_is_imported_in_these_files_alone(library: str, files: set[str]) -> None:
    assert _importers(library) == files
