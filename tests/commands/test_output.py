import pytest
from rich.console import Console

from commands import output

STEP = "verify: original in float32: top-1 agreement 100.0% of /a/rather/long/path/to/a/file"


def test_step_goes_on_indented_in_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Console(stderr=True, force_terminal=True, width=40, color_system=None)
    monkeypatch.setattr(output, "progress", terminal)

    output.print_step(STEP)

    assert capsys.readouterr().err.splitlines() == [
        "verify: original in float32: top-1",
        "    agreement 100.0% of",
        "    /a/rather/long/path/to/a/file",
    ]


def test_step_is_one_line_in_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "progress", Console(stderr=True, width=40))

    output.print_step(f"{STEP} [/b]")

    assert capsys.readouterr().err == f"{STEP} [/b]\n"


def test_table_takes_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("image", ">share"), [("[/b]photo.png", "[red]1[/red]")])

    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if "photo" in line] == [
        ["[/b]photo.png", "[red]1[/red]"]
    ]


def test_table_of_an_export_fits_into_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "results", Console(width=80))
    columns = ("artifact", "weights", ">classes", ">MB", ">max |dlogit|", ">bound", ">s")
    row = ("shufflenet_v2_x1_0-onnx-fp32", "trained", "1000", "9.1", "2.5e-06", "1.3e-04", "15.9")

    output.print_table(columns, [row])

    assert " ".join(row) in " ".join(capsys.readouterr().out.split())


def test_table_that_is_a_little_too_wide_has_narrow_gaps_before_it_folds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "results", Console(width=12))

    output.print_table(("network", ">MB"), [("resnet18", "4.5")])
    output.print_table(("network", ">MB"), [("resnet-18", "4.5")])

    lines = capsys.readouterr().out.splitlines()
    assert "resnet18 4.5" in lines
    assert "resnet-18 4.5" not in lines  # 13 columns
