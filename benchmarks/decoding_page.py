"""The tables of docs/decoding.md: what a picture costs, and how near the fast pixels are.

python -m benchmarks.decoding_page
"""

from collections.abc import Sequence

from benchmarks.pages import (
    PUBLISHED,
    ROOT,
    header,
    machine_line,
    number,
    rewrite_part,
    row,
    speed,
)
from measuring.record import Measurement, read_measurements

RECORDS = PUBLISHED / "decoding.jsonl"
PAGE = ROOT / "docs" / "decoding.md"
PART = "made by python -m benchmarks.decoding_page"


def tables(measurements: Sequence[Measurement]) -> str:
    """Ways by picture, their steps, handing over, and the agreement by interpolation.

    Raises ValueError where one of these was not recorded."""
    ways, steps, hand_overs, agreements = (
        _named(measurements, name)
        for name in ("decoding", "decoding step", "decoding hand-over", "decoding agreement")
    )
    parts = [
        machine_line(ways),
        "\n".join([*header(("file", "way", "milliseconds", "speed")), *map(_way, ways)]),
        "\n".join([*header(("file", "step", "microseconds")), *map(_step, steps)]),
        "\n".join([*header(("hand-over", "microseconds", "speed")), *map(_hand_over, hand_overs)]),
        "\n".join([*header(_COLUMNS), *map(_agreement, agreements)]),
    ]
    return "\n\n".join(parts) + "\n"


def _named(measurements: Sequence[Measurement], name: str) -> list[Measurement]:
    found = [measured for measured in measurements if measured.name == name]
    if not found:
        raise ValueError(f"no records of {name!r}; run the benchmarks named in docs/decoding.md")
    return found


_COLUMNS = (
    *("interpolation", "pictures", "of them decoded at a fraction", "mean difference of 255"),
    *("most for one picture", "same top-1 class", "different classes"),
)


def _way(measured: Measurement) -> str:
    settings, median = measured.settings, measured.latencies.percentile(50.0)
    cells = (str(settings["file"]), str(settings["way"]), f"{median * 1e3:.2f}")
    return row([*cells, speed(measured) if settings["way"] != settings["base"] else "1"])


def _step(measured: Measurement) -> str:
    settings, median = measured.settings, measured.latencies.percentile(50.0)
    return row([str(settings["file"]), str(settings["way"]), f"{median * 1e6:.0f}"])


def _hand_over(measured: Measurement) -> str:
    settings, median = measured.settings, measured.latencies.percentile(50.0)
    own = speed(measured) if settings["way"] != settings["base"] else "1"
    each = median / number(measured, "batch")
    return row([str(settings["way"]), f"{each * 1e6:.0f}", own])


def _agreement(measured: Measurement) -> str:
    settings = measured.settings
    return row(
        [
            *(str(settings[name]) for name in ("interpolation", "pictures", "scaled")),
            *(f"{number(measured, name):.2f}" for name in ("mean_difference", "most_difference")),
            f"{number(measured, 'agreement'):.2%}",
            str(settings["classes"]),
        ]
    )


def main() -> None:
    """Make the tables new."""
    rewrite_part(PAGE, PART, tables(read_measurements(RECORDS)))


if __name__ == "__main__":
    main()
