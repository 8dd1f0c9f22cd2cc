import re
from pathlib import Path

from commands.report import command

PAGE = (Path(__file__).parents[3] / "docs" / "report.md").read_text(encoding="utf-8")


def test_document_lists_every_option_with_its_default() -> None:
    rows = {
        flag: line
        for line in PAGE.splitlines()
        if line.startswith("| `--")
        for flag in re.findall(r"`(--[a-z-]+)`", line.split("|")[1])
    }
    options = {option.opts[0]: option for option in command.params if option.opts[0] != "--json"}
    assert set(rows) == set(options)
    for flag, option in options.items():
        told = getattr(option, "show_default", None)
        default = told if isinstance(told, str) else option.default
        if isinstance(default, str | Path) and default:
            assert str(default) in rows[flag], flag


def test_document_lists_the_exit_codes() -> None:
    assert re.findall(r"^\| (\d) \|", PAGE, re.MULTILINE) == ["0", "1", "2", "3"]
