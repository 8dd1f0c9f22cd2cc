"""What is changed in locust, and that it stays in its own processes."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from loadtest.locust_options import (
    MIX,
    PICTURES,
    SLO,
    add_arguments,
    read_mix,
    read_options,
    read_plan,
)
from loadtest.locust_plans import SHAPES
from measuring.errors import InputError

ROOT = Path(__file__).parents[2]
PATCHING = re.compile(r"^\s*(?:import|from) (?:gevent|geventhttpclient|locust)\b", re.MULTILINE)


@pytest.fixture(scope="module")
def inside() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.loadtest.locust_inside"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_times_keep_three_digits_in_every_table(inside: dict[str, Any]) -> None:
    assert inside["buckets"] == [0.61, 0.92, 12.3, 123, 4570]
    assert inside["csv"] == ["0.61", "0.92", "12.3", "123", "4570"]
    page = inside["page"]
    assert (page["median_response_time"], page["response_time_percentile_0.95"]) == (0.61, 12.3)
    assert (page["min_response_time"], page["max_response_time"]) == (0.61, 4570)


def test_console_lines_fit_under_locusts_own_headers(inside: dict[str, Any]) -> None:
    for line, header, column in zip(
        inside["console"], inside["headers"], ("Med", "50%"), strict=True
    ):
        end = header.index(column) + len(column)
        assert line[:end].endswith("0.61"), (line, header)


def test_a_user_keeps_one_connection_that_sends_at_once(inside: dict[str, Any]) -> None:
    assert inside["connections"] == 1
    assert inside["at once"]


def test_only_the_files_for_locust_import_what_patches() -> None:
    """It would change sockets, threads and time of the process, measurements included."""
    folders = ("benchmarks", "commands", "demo", "loadtest", "measuring", "service", "tests")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    importing = {path.name for path in paths if PATCHING.search(path.read_text(encoding="utf-8"))}
    tritons = "test_tritonclient.py"  # asks gevent itself to end
    assert all(name.startswith("locust") for name in importing - {tritons}), importing


def test_every_option_is_documented() -> None:
    page = (ROOT / "docs" / "loadtest.md").read_text("utf-8").partition("## With locust")[2]
    flags: list[str] = []
    parser = SimpleNamespace(add_argument=lambda flag, **_: flags.append(flag))
    add_arguments(cast(Any, parser))
    assert len(flags) == 12
    assert [flag for flag in flags if f"`{flag}`" not in page] == []
    assert [shape for shape in SHAPES if f"| `{shape}` |" not in page] == []
    assert [picture for picture in PICTURES if f"`{picture}`" not in page] == []


def parsed(**named: Any) -> Any:
    usual = {
        "model": "m", "mix": MIX, "batch_size": [1], "picture": ["png-375"], "bodies": 8,
        "compare_models": "", "user_rate": 0.0, "api_key_file": "", "num_users": 4,
        "run_time": None, "shape": "constant", "steps": 10, "base_users": 1, "slo": SLO,
    }  # fmt: skip
    return SimpleNamespace(**usual | named)


def test_options_are_read_from_what_the_page_sends() -> None:
    options = read_options(parsed(batch_size=["8", "1", "8"], compare_models=" a, b,", model=" m "))
    assert (options.model, options.batch_sizes) == ("m", (8, 1))
    assert options.compare_models == "a,b"
    assert read_mix("pixels=3, compare=0") == {"pixels": 3}


@pytest.mark.parametrize(
    ("named", "words"),
    [
        pytest.param({"mix": "pixel=1"}, "'pixel=1' is not understood", id="unknown-user"),
        pytest.param({"mix": "pixels=1,pixels=2"}, "at most once", id="user-twice"),
        pytest.param({"mix": "pixels=-1"}, "weight from 0", id="negative-weight"),
        pytest.param({"mix": "pixels=0"}, "leaves nobody", id="nobody"),
        pytest.param({"batch_size": [3]}, "batch size is 3, expected one", id="batch-size"),
        pytest.param({"picture": []}, "picture is not given", id="no-picture"),
        pytest.param({"user_rate": -1.0}, "user rate is -1.0", id="rate"),
        pytest.param({"bodies": 0}, "bodies are 0", id="no-bodies"),
        pytest.param({"steps": 0}, "steps is 0", id="no-steps"),
        pytest.param({"shape": "wave"}, "expected one of constant, steps", id="shape"),
        pytest.param({"slo": "throughput=5"}, "cannot end one", id="throughput"),
        pytest.param({"api_key_file": "/nobody"}, "/nobody cannot be read", id="key-file"),
        pytest.param({"slo": "fast"}, "expected e.g. p99=20ms", id="slo"),
    ],
)
def test_what_cannot_be_meant_is_refused(named: dict[str, Any], words: str) -> None:
    def read() -> None:
        read_options(parsed(**named))
        read_plan(parsed(**named))

    with pytest.raises(InputError, match=words):
        read()


def test_a_key_that_no_header_can_hold_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("first\nsecond")

    with pytest.raises(InputError, match="characters that no key has"):
        read_options(parsed(api_key_file=str(tmp_path / "key")))
