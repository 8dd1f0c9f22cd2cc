"""The import table of docs/design.md and the size of the code, held by reading the source."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# package -> packages of ours that it may import
MAY_IMPORT: dict[str, set[str]] = {
    "measuring": set(),
    "models": {"measuring"},
    "inference": {"measuring"},
    "exporters": {"models", "inference", "measuring"},
    "service": {"inference", "measuring"},
    "loadtest": {"measuring"},
    "benchmarks": {"models", "inference", "exporters", "loadtest", "measuring"},
    "monitoring": {"measuring"},
    "demo": {"measuring"},
    "commands": {
        *("models", "inference", "exporters", "service", "loadtest", "benchmarks", "demo"),
        "measuring",
    },
}
# file -> packages that it alone may import besides
EXCEPTIONS = {
    "inference/torch_network.py": {"models"},
    "benchmarks/bare_service.py": {"service"},
    "benchmarks/decoding_handover.py": {"service"},
    "benchmarks/serving_silent.py": {"service"},
    "benchmarks/single_frontend.py": {"service"},
}
LIBRARIES = {
    "fastapi", "httptools", "numpy", "onnx", "onnxruntime", "onnxscript", "openvino", "orjson",
    "PIL", "prometheus_client", "safetensors", "tensorrt", "torch", "urllib3", "uvicorn", "uvloop",
}  # fmt: skip
HEAVY = {
    "torch": {"models", "exporters", "benchmarks"},
    "fastapi": {"service", "benchmarks"},
    "uvicorn": {"service", "benchmarks"},
}
TORCH_FILES = {
    "inference/torch_arithmetic.py",
    "inference/torch_network.py",
    "inference/torch_transfer.py",
    "inference/torch_engine.py",
    "inference/torch_compiled_engine.py",
    "inference/torch_cudagraph_engine.py",
    "inference/torch_fused_engine.py",
    "inference/aoti_engine.py",
}
# Importing it reports to its makers, unless that is prevented where it is imported.
OPENVINO_FILES = {"inference/openvino_engine.py"}


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, ast.stmt]]:
    """Top-level names a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield str(node.module).partition(".")[0], node


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_package_imports_only_what_the_table_allows(package: str) -> None:
    for path in python_files(package):
        name = path.relative_to(ROOT).as_posix()
        allowed = MAY_IMPORT[package] | {package} | EXCEPTIONS.get(name, set())
        for imported, node in imports(path):
            assert imported not in MAY_IMPORT or imported in allowed, (
                f"{name}:{node.lineno} imports {imported}; {package} may import {sorted(allowed)}"
            )


@pytest.mark.parametrize("library", HEAVY)
def test_heavy_library_stays_in_its_packages(library: str) -> None:
    for package in MAY_IMPORT:
        for path in python_files(package):
            name = path.relative_to(ROOT).as_posix()
            if package in HEAVY[library] or (library == "torch" and name in TORCH_FILES):
                continue
            assert library not in {imported for imported, _ in imports(path)}, name


def test_openvino_is_imported_where_it_cannot_report() -> None:
    importing = {
        path.relative_to(ROOT).as_posix()
        for path in python_files(*MAY_IMPORT, "examples", "scripts", "tests")
        if "openvino" in {imported for imported, _ in imports(path)}
    }
    assert importing == OPENVINO_FILES
    skip = f'importorskip("{"openvino"}"'
    skipping = [path for path in python_files("tests") if skip in path.read_text("utf-8")]
    assert skipping == [], "import inference.openvino_engine instead"


def test_commands_import_other_packages_only_inside_the_command() -> None:
    light = {"commands", "measuring"}
    for path in [ROOT / "cli.py", *python_files("commands")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        at_import = {
            str(node.module).partition(".")[0]
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
        }
        ours = at_import & (set(MAY_IMPORT) - light)
        assert ours <= {"service"}, f"{path.name} imports {ours} before the command runs"


def test_no_module_has_the_name_of_a_library() -> None:
    for path in python_files(*MAY_IMPORT):
        assert path.stem not in LIBRARIES, path


def test_every_package_is_listed_for_installation() -> None:
    listed = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for package in MAY_IMPORT:
        assert f'"{package}"' in listed.partition("packages = [")[2].partition("]")[0]


@pytest.mark.parametrize("folder", [*MAY_IMPORT, "examples", "tests"])
def test_files_and_functions_stay_readable(folder: str) -> None:
    for path in python_files(folder):
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 300, f"{path}: over 300 lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                assert lines <= 60, f"{path}:{node.lineno} {node.name}: {lines} lines"


def test_the_serving_side_needs_no_torch() -> None:
    """Import all that `stride serve` uses, in a process where torch cannot be imported."""
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['onnx'] = None\n"
        "import service.server, inference.onnxruntime_engine, inference.null_engine\n"
        "import commands.serve, commands.classify, commands.verify\n"
        "late = ('service.spans', 'opentelemetry.sdk', 'opentelemetry.exporter')\n"
        "assert not [m for m in sys.modules if m.startswith(late)], 'only where it traces'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
