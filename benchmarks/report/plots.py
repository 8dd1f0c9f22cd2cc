"""How plots look, once for all: told apart without colour, on paper and at a small size.

Colours: Okabe and Ito, Color Universal Design, 2008, without the yellow that vanishes on white;
markers and line styles say the same again for print in grey.
"""

import io
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any

from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, NullFormatter

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#8C8C8C"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "*")
LINES = ("-", "--", ":", "-.")
HATCHES = ("", "//", "..", "xx", "\\\\", "++")
SIZE = (5.4, 3.9)
"""Inches of a usual plot: two side by side on a screen or a sheet of paper."""

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.labelsize": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.markersize": 6.0,
    "lines.linewidth": 1.4,
    "svg.fonttype": "none",  # text that can be searched, read aloud and copied
}


@contextmanager
def house_style() -> Iterator[None]:
    """What is drawn inside looks like everything else, whatever a library has set before."""
    with rc_context():
        rcdefaults()
        rcParams.update(STYLE)
        yield


@contextmanager
def canvas(size: tuple[float, float] = SIZE) -> Iterator[tuple[Canvas, Axes]]:
    """A figure with one pair of axes; the house's style holds inside."""
    with house_style():
        figure = Canvas(figsize=size, layout="constrained")
        yield figure, figure.add_subplot()


def svg(figure: Canvas, name: str, description: str) -> str:
    """Markup for the inside of a page: ids of its own, named for who cannot see it.

    `name`: unique on the page; `description`: what a reader without eyes should hear. Inside of
    `canvas` or `house_style`."""
    written = io.StringIO()
    with rc_context({"svg.hashsalt": name}):
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    markup = written.getvalue()
    markup = markup[markup.index("<svg") :]
    markup = re.sub(r"<metadata>.*?</metadata>", "", markup, flags=re.DOTALL)
    markup = _numbered(markup)
    name = anchor(name)
    markup = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', markup)
    markup = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", markup)
    markup = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', markup)
    # As wide as DejaVu where that is not installed, so that nothing overlaps.
    markup = markup.replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
    head = f'<svg role="img" aria-label="{plain_attribute(description)}"'
    return markup.replace("<svg", head, 1).strip()


def _numbered(markup: str) -> str:
    """Ids that are digests of figures' last bits, which processes round differently, by order."""
    digests = dict.fromkeys(re.findall(r'\bid="([a-z][0-9a-f]{10})"', markup))
    for number, digest in enumerate(digests):
        markup = markup.replace(digest, f"{digest[0]}{number}")
    return markup


def anchor(name: str) -> str:
    """An id for any name, another one for every other name."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    return plain if plain == name else f"{plain}-{zlib.crc32(name.encode()):08x}"


def plain_attribute(text: str) -> str:
    """For the inside of double quotes."""
    for character, entity in (("&", "&amp;"), ('"', "&quot;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, entity)
    return text


def literal(text: str) -> str:
    """A name with `$` in it is no formula."""
    return text.replace("$", r"\$")


def styles(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """A colour and a marker for each name, different from one another for 77 names."""
    colours, markers = cycle(COLOURS), cycle(MARKERS)
    return {name: (next(colours), next(markers)) for name in dict.fromkeys(names)}


def plain_ticks(axes: Axes, which: str = "xy") -> None:
    """1, 10, 100 on logarithmic axes, not powers; over less than two decades also numbers
    between."""
    for letter in which:
        axis = axes.xaxis if letter == "x" else axes.yaxis
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        low, high = axis.get_view_interval()
        if high > low * 100:
            axis.set_minor_formatter(NullFormatter())
        else:
            axis.set_minor_formatter(FuncFormatter(_leading))


def _leading(value: float, _: object) -> str:
    return f"{value:g}" if f"{value:e}"[0] in "235" else ""


def legend_below(figure: Canvas, axes: Axes, columns: int = 2) -> None:
    """Under the plot, where it covers nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=columns)
