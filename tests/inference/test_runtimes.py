"""The table of runtimes: what the page says of it, and that its rows can be used."""

import importlib.util
from pathlib import Path

import pytest

from inference.runtimes import RUNTIMES, row_of
from measuring.errors import InputError

PAGE = Path(__file__).parents[2] / "docs" / "runtimes.md"


@pytest.mark.parametrize("name", RUNTIMES)
def test_page_of_runtimes_has_every_row_with_its_devices(name: str) -> None:
    devices = ", ".join(RUNTIMES[name].devices)
    assert f"| `{name}` | {devices} |" in PAGE.read_text(encoding="utf-8")


def test_page_of_runtimes_has_nothing_that_is_no_row() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## ")[0]
    listed = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert listed == list(RUNTIMES)


@pytest.mark.parametrize("name", RUNTIMES)
def test_runtime_has_a_module_and_runs_the_files_of_a_row(name: str) -> None:
    row = row_of(name)
    assert importlib.util.find_spec(row.module) is not None
    assert row.listed_as is None or RUNTIMES[row.listed_as].listed_as is None


def test_runtime_that_is_none_says_which_there_are() -> None:
    with pytest.raises(InputError, match=r"did you mean openvino\? expected one of auto, onnxr"):
        row_of("openvin")
