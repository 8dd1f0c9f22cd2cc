"""A report as one HTML page that needs no network, and as Markdown with the same tables."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from benchmarks.report.section import Card, Section

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Page:
    """Everything on it, the decision first where there is one; `made`: an ISO 8601 time."""

    title: str
    made: str
    version: str
    card: Card | None
    sections: Sequence[Section]


def html(page: Page) -> str:
    """All text is escaped; pictures are markup of our own."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["inline"] = Markup
    css = (_FOLDER / "page.css").read_text(encoding="utf-8")
    return _template(environment, "page.html.j2").render(page=page, css=Markup(css))  # noqa: S704


def markdown(page: Page) -> str:
    """Without pictures: their numbers are in the tables."""
    environment = Environment(
        autoescape=False,  # noqa: S701  it is no HTML; what means something in Markdown is escaped
        finalize=_escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return _template(environment, "page.md.j2").render(page=page)


def _template(environment: Environment, name: str) -> Template:
    return environment.from_string((_FOLDER / name).read_text(encoding="utf-8"))


def _escaped(value: object) -> object:
    """A `|` would end a cell, a backtick begin code and `<` before a letter a tag; `_` and `*`
    between letters mean nothing."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    flat = re.sub(r"([|`])", r"\\\1", " ".join(value.split()))
    flat = re.sub(r"&(?=#?\w+;)", "&amp;", flat)
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", flat)
