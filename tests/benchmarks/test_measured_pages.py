"""The pages of roofline, operators and claims are the published records, and nothing besides."""

from xml.etree import ElementTree as ET

import pytest

from benchmarks import claims_page, operators_page, roofline_page
from benchmarks.claims.judged import judge
from benchmarks.pages import between_marks
from benchmarks.roofline import points, roof
from measuring.record import read_measurements


def test_operators_page_is_the_published_record() -> None:
    text = operators_page.PAGE.read_text(encoding="utf-8")

    tables = operators_page.tables(read_measurements(operators_page.RECORDS))

    assert between_marks(text, operators_page.PART, tables) == text


def test_roofline_page_is_the_published_record() -> None:
    text = roofline_page.PAGE.read_text(encoding="utf-8")

    tables = roofline_page.tables(read_measurements(roofline_page.RECORDS))

    assert between_marks(text, roofline_page.PART, tables) == text


def test_claims_page_is_the_published_record() -> None:
    text = claims_page.PAGE.read_text(encoding="utf-8")

    tables = claims_page.tables(claims_page.published())

    assert between_marks(text, claims_page.PART, tables) == text


def test_all_eighteen_are_judged_by_measurements() -> None:
    judged = judge(claims_page.published())

    undecidable = {3, 6, 12, 17}  # a GPU, or trained weights
    for entry in judged:
        measured = [finding for finding in entry.findings if finding.value is not None]
        assert measured or entry.claim.number in undecidable


def test_shares_of_the_roof_are_shares() -> None:
    measurements = read_measurements(roofline_page.RECORDS)
    found = points(measurements, roof(measurements, threads=roofline_page.THREADS))

    assert len({point.network for point in found}) >= 5
    assert all(0.0 <= point.share <= 1.05 for point in found)


@pytest.mark.parametrize("name", ["roofline.svg", "roofline-time.svg"])
def test_pictures_are_whole(name: str) -> None:
    drawn = ET.parse(roofline_page.PAGE.with_name(name))  # noqa: S314  (our own file)

    texts = {element.text for element in drawn.iter() if element.text}
    assert any("fasternet_t0" in text for text in texts)
