import json
from pathlib import Path

import pytest

import cli
from commands import report_options
from measuring.errors import InputError
from measuring.record import write_measurements
from tests.benchmarks.report.hand_made_results import load_tests, write_results

LOOSE = ("--slo", "p99=30ms", "--rate", "50")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("results")
    write_results(directory)
    return directory


def report(results: Path, page: Path, *arguments: str) -> int:
    return cli.run(["report", "--results", str(results), "--output", str(page), *arguments])


def test_report_writes_page_and_markdown_and_prints_the_decision(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "new" / "page.html"
    assert report(results, page, *LOOSE) == 0
    printed = capsys.readouterr()
    assert "for p99 <= 30 ms at 50 requests/s" in printed.out
    assert "mobilenet_v2 int8 on openvino" in printed.out
    assert "what would change it" in printed.out
    assert "stride serve --model mobilenet_v2-onnx-int8:runtime=openvino" in printed.out
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert page.with_suffix(".md").read_text(encoding="utf-8").startswith("# Which network")
    assert sorted(path.name for path in page.parent.iterdir()) == ["page.html", "page.md"]


def test_report_json_is_one_document(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert report(results, page, *LOOSE, "--against", "20260130", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["chosen"]["network"] == "mobilenet_v2"
    assert found["requirements"]["slo"] == 0.03
    assert found["requirements"]["around"] == pytest.approx(0.0022, rel=0.01)
    assert 0.0 < found["predicted_seconds"] <= 0.03
    assert found["headroom"] >= 1.0
    assert len(found["options"]) == 7
    assert found["regressions"]["against"] == "20260130-120000-bbbb"
    assert all(it["slower"] for it in found["regressions"]["differences"])
    assert found["files"] == [str(page), str(page.with_suffix(".md"))]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param((), 0, id="nothing-asked"),
        pytest.param(("--slo", "p50=1us"), 1, id="slo-out-of-reach"),
        pytest.param((*LOOSE, "--accuracy", "99%"), 1, id="accuracy-out-of-reach"),
        pytest.param((*LOOSE, "--device", "cuda"), 1, id="no-such-device"),
        pytest.param((*LOOSE, "--against", "20260131-120000-aaaa"), 0, id="as-fast-as-itself"),
        pytest.param((*LOOSE, "--against", "20260130-120000-bbbb"), 1, id="slower-than-before"),
        pytest.param(("--against", "1999"), 2, id="nothing-to-compare-with"),
        pytest.param(("--run", "1999"), 2, id="no-such-run"),
        pytest.param((*LOOSE, "--run", "20260130"), 0, id="an-earlier-run"),
        pytest.param(("--slo", "20ms"), 2, id="no-percentile"),
        pytest.param(("--rate", "0"), 2, id="no-requests"),
        pytest.param(("--prefer", "beauty"), 2, id="no-such-preference"),
    ],
)
def test_report_exit_code(
    results: Path, tmp_path: Path, arguments: tuple[str, ...], code: int
) -> None:
    assert report(results, tmp_path / "page.html", *arguments) == code


def test_report_what_was_assumed_is_said(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(results, tmp_path / "page.html")
    assert "Assumed, since nothing else was asked for: --slo p99=20ms --rate 100" in (
        capsys.readouterr().err
    )


def test_report_without_records_says_which_command_makes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(tmp_path, tmp_path / "page.html") == 3
    assert "stride bench --quick" in capsys.readouterr().err
    assert report(tmp_path / "nowhere", tmp_path / "page.html") == 3
    assert "does not exist" in capsys.readouterr().err


def test_report_of_load_tests_alone_decides_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_measurements(tmp_path / "run.jsonl", load_tests())
    page = tmp_path / "page.html"

    assert report(tmp_path, page) == 0
    assert "load tests alone: which network to deploy takes records of stride bench" in (
        capsys.readouterr().err
    )
    text, beside = page.read_text("utf-8"), page.with_suffix(".md").read_text("utf-8")
    assert "<h2>Under load</h2>" in text
    assert "over the bound of 1ms" in text
    assert 'id="decision"' not in text
    assert beside.startswith("# Load tests")
    assert "## Decision" not in beside
    assert "stride bench" not in beside

    assert report(tmp_path, page, "--json") == 0
    assert json.loads(capsys.readouterr().out)["chosen"] is None
    assert report(tmp_path, page, *LOOSE) == 1
    assert report(tmp_path, page, "--against", "2026") == 2


def test_report_a_place_that_cannot_be_written_is_an_error(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert report(results, tmp_path / "file" / "page.html") == 2
    assert "choose another place with --output" in capsys.readouterr().err
    assert report(results, tmp_path / "page.pdf") == 2
    assert "expected one that ends in .html" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "percentile", "seconds"),
    [
        pytest.param("p99=20ms", 99.0, 0.020, id="usual"),
        pytest.param("p99.9 <= 1s", 99.9, 1.0, id="as-people-write-it"),
        pytest.param("p50=500us", 50.0, 0.0005, id="microseconds"),
    ],
)
def test_slo_is_read(text: str, percentile: float, seconds: float) -> None:
    found = report_options.slo(text)
    assert found.percentile == percentile
    assert found.seconds == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "p99", "p99=20", "p100=1s", "p0=1s", "p99=0ms", "99=20ms"])
def test_slo_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="such as p99=20ms"):
        report_options.slo(text)


def test_shares_and_sizes_are_read() -> None:
    assert report_options.share("75%") == report_options.share("0.75") == 0.75
    assert report_options.size("500MB") == 500_000_000
    assert report_options.size("2GiB") == 2 << 30
    assert report_options.size("1024") == 1024


@pytest.mark.parametrize("text", ["75", "-1%", "101%", "much"])
def test_shares_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"75% or 0\.75"):
        report_options.share(text)


@pytest.mark.parametrize("text", ["0", "-5MB", "5 bananas", "5i", "MB"])
def test_sizes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="500MB or 2GiB"):
        report_options.size(text)


def test_command_line_makes_the_same_report_again() -> None:
    values = {
        "slo": "p99=20ms", "rate": 200.0, "accuracy": "75%", "memory": None, "run": None,
        "against": "2026", "devices": ("cpu",), "prefer": "speed", "invalid": True,
    }  # fmt: skip
    assert report_options.command_line(values) == (
        "stride report --slo p99=20ms --rate 200 --accuracy 75% --against 2026 --device cpu "
        "--prefer speed --invalid"
    )
    elsewhere = report_options.command_line(values, Path("my gates"))
    assert elsewhere.startswith("stride report --results 'my gates' --slo")
