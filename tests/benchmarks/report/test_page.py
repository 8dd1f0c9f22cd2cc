"""The page as a reader's program sees it: balanced, escaped, complete and alone in the world."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmarks.recommend_requirements import Requirements
from benchmarks.report.page import html, markdown
from benchmarks.report.section import table
from measuring.record import write_measurements
from tests.benchmarks.hand_made import bench, invalid
from tests.benchmarks.report.hand_made_results import HOSTILE, make_report, write_results

VOID = {"meta", "link", "br", "img", "hr", "input"}
SECTIONS = (
    *("options", "batch-sizes", "loadgen", "load-tests", "request", "serving", "roofline"),
    *("operators", "claims", "regressions", "machine", "caveats", "reproduce"),
)


class Reader(HTMLParser):
    """Text by where it stands, ids and references; an AssertionError for tags that do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.references: list[str] = []
        self.text: list[str] = []
        self.scripts = 0
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        for name, value in attrs:
            if name == "id":
                self.ids[value or ""] += 1
            if name in ("href", "src", "xlink:href"):
                self.references.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("results")
    write_results(directory, name=HOSTILE)
    return html(make_report(directory, against="20260130").page)


def test_page_is_balanced_and_every_id_is_there_once(page: str) -> None:
    reader = Reader(page)
    assert {name for name, count in reader.ids.items() if count > 1} == set()
    inside = [it.removeprefix("#") for it in reader.references if it.startswith("#")]
    assert set(inside) <= set(reader.ids)
    assert set(SECTIONS) <= set(reader.ids)


def test_page_loads_nothing_from_anywhere(page: str) -> None:
    reader = Reader(page)
    outside = [it for it in reader.references if not it.startswith(("#", "data:,"))]
    assert outside == []
    assert reader.scripts == 0
    assert not re.search(r"@import|url\((?!#)", page)


def test_page_escapes_what_stands_in_records(page: str) -> None:
    assert "<script>" not in page
    text = "".join(Reader(page).text)
    assert HOSTILE in text, "what is written is what is read"


def test_page_has_the_decision_before_everything_else(page: str) -> None:
    text = "".join(Reader(page).text)
    order = [
        text.index("for p99 <= 30 ms at 50 requests/s:"),
        text.index("mobilenet_v2 int8 on openvino"),
        text.index("Accuracy against latency and throughput"),
    ]
    assert order == sorted(order)
    assert 'id="decision" class="card"' in page
    assert "stride serve --model mobilenet_v2-onnx-int8:runtime=openvino" in text


def test_page_without_a_decision_looks_like_none(tmp_path: Path) -> None:
    write_results(tmp_path)
    page = html(make_report(tmp_path, Requirements(slo=0.001, rate=50.0)).page)
    assert 'class="card undecided"' in page
    text = "".join(Reader(page).text)
    assert "Nothing measured meets this; nearest miss: shufflenet_v2_x1_0 int8" in text


def test_page_of_records_that_are_all_invalid_says_what_to_do(tmp_path: Path) -> None:
    write_measurements(tmp_path / "a.jsonl", [invalid(bench(), "other load: 19 %")])
    card = make_report(tmp_path).page.card
    assert card is not None
    headline = card.headline
    assert "all 1 records are marked INVALID (other load" in headline
    assert "--invalid" in headline


def test_card_of_an_invalid_record_says_so(tmp_path: Path) -> None:
    write_measurements(tmp_path / "a.jsonl", [invalid(bench(), "other load: 19 %")])
    card = make_report(tmp_path, invalid=True).page.card
    assert card is not None
    assert card.notes == ["Rests on records marked INVALID: other load: 19 %."]


def test_page_sections_without_records_name_the_command_that_makes_them(page: str) -> None:
    text = "".join(Reader(page).text)
    for command in ("stride roofline", "stride operators", "stride claims"):
        assert command in text


def test_page_pictures_say_what_they_show(page: str) -> None:
    assert page.count("<svg") == page.count('<svg role="img" aria-label="')
    assert page.count("<svg") == page.count("<figcaption>")
    assert "<metadata>" not in page


def test_markdown_has_the_same_tables_and_no_cell_breaks_a_row(tmp_path: Path) -> None:
    write_results(tmp_path, name=HOSTILE)
    report = make_report(tmp_path)
    lines = markdown(report.page).splitlines()
    tables = [it for section in report.page.sections for it in section.tables]
    assert sum(line.startswith("| ---") for line in lines) == len(tables) + 2  # facts, changes
    for index, line in enumerate(lines):
        if line.startswith("| ---"):
            width = line.count("|")
            assert lines[index - 1].count("|") == width
            row = index + 1
            while lines[row].startswith("|"):
                assert lines[row].replace("\\|", "").count("|") == width, lines[row]
                row += 1
    assert "<script>" not in "\n".join(lines)


def test_markdown_begins_with_the_decision(tmp_path: Path) -> None:
    write_results(tmp_path)
    text = markdown(make_report(tmp_path).page)
    assert text.startswith("# Which network to deploy\n")
    assert "**mobilenet_v2 int8 on openvino, 1 instance of 1 thread, max_batch" in text


def test_table_columns_with_sentences_may_break() -> None:
    made = table(("a", ">b"), [("x" * 41, "1"), ("short", "2")])
    assert made.prose == {0}
    assert made.headings == [("a", False), ("b", True)]
