"""Roofline, operators and claims: their records, judged and drawn by the modules that own them.

Imported only where there are records: claims count layers on the spot, which needs torch.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.report.plots import house_style, svg
from benchmarks.report.results import Results
from benchmarks.report.section import Figure, Section, Table, table
from measuring.errors import InputError
from measuring.machine import Machine
from measuring.record import Measurement, Scalar

if TYPE_CHECKING:
    from benchmarks.roofline import Point, Roof

CLAIMS = "claim "
"""How the kinds of record begin that only claims are judged by."""
_LONGEST = 4


def borrowed(results: Results, machine: Machine) -> list[Section]:
    """What the machine can do at most, what operators cost, and which claims hold."""
    return [_roofline(results, machine), _operators(results, machine), _claims(results, machine)]


def _roofline(results: Results, machine: Machine) -> Section:
    every, peaks = results.records("layer", machine), results.records("peak", machine)
    layers = _one_profile_each(every)
    anchor, title, command = "roofline", "Roofline", ("stride roofline",)
    if not layers or not peaks:
        missing = "no operations were timed against the machine's peaks"
        return Section(anchor, title, missing=missing, commands=command)
    from benchmarks.roofline import points, roof
    from benchmarks.roofline_shares import (
        LAYER_COLUMNS,
        NETWORK_COLUMNS,
        TIME_COLUMNS,
        layer_rows,
        network_rows,
        time_rows,
    )

    try:
        threads = int(str(layers[0].settings["threads"]))
        above = roof(peaks, threads=threads)
        found = points(layers, above)
    except InputError as error:
        return Section(anchor, title, missing=str(error), commands=command)
    if not found:
        return Section(anchor, title, missing="no operation among the records", commands=command)
    batch = layers[0].settings["batch"]
    return Section(
        anchor,
        title,
        paragraphs=(
            f"Every operation of the networks against what this machine can do at most with "
            f"{threads} thread{'s' * (threads > 1)}: arithmetic {above.macs / 1e9:.0f} 10⁹ MACs/s, "
            f"memory {above.memory / 1e9:.0f} GB/s. Under the slope memory is the limit, under the "
            "flat part arithmetic; the area of a mark is its share of the network's time.",
        ),
        figures=_roofline_figures(found, above),
        tables=[
            table(NETWORK_COLUMNS, network_rows(found), f"Networks under the roof, batch {batch}."),
            table(TIME_COLUMNS, time_rows(found), "Percent of the time by kind of operation."),
            table(LAYER_COLUMNS, layer_rows(found, most=_LONGEST), "The longest operations."),
        ],
    )


def _one_profile_each(layers: Sequence[Measurement]) -> list[Measurement]:
    """With the fewest threads and pictures among them, which share one roof, and of each network
    and runtime the newest profile: a quick one beside a full one would count everything twice."""
    places = [(it.settings["threads"], it.settings["batch"]) for it in layers]
    least = min(places, default=None, key=lambda place: [int(str(number)) for number in place])
    some = [it for it, place in zip(layers, places, strict=True) if place == least]
    newest: dict[tuple[Scalar, ...], str] = {}
    for it in some:
        newest[_graph(it)] = max(newest.get(_graph(it), ""), it.started)
    return [it for it in some if it.started == newest[_graph(it)]]


def _graph(layer: Measurement) -> tuple[Scalar, ...]:
    return (layer.settings["network"], layer.settings["runtime"])


def _roofline_figures(found: "Sequence[Point]", above: "Roof") -> list[Figure]:
    from benchmarks.roofline_plot import roofline_plot, time_plot

    figures = []
    for runtime in dict.fromkeys(point.runtime for point in found):
        caption = f"{runtime}: operations by arithmetic intensity and rate, under the roof."
        with house_style():
            drawn = roofline_plot(found, above, runtime=runtime)
            figures.append(Figure(svg(drawn, f"roofline-{runtime}", caption), caption, wide=True))
    caption = "What the time of each network is made of."
    with house_style():
        figures.append(Figure(svg(time_plot(found), "roofline-time", caption), caption, wide=True))
    return figures


def _operators(results: Results, machine: Machine) -> Section:
    records = results.records("operator", machine)
    anchor, title = "operators", "Operators"
    if not records:
        missing = "no operator was timed"
        return Section(anchor, title, missing=missing, commands=("stride operators",))
    from benchmarks.operator_tables import TABLES, columns, rows

    tables = [
        table(columns(name), lines, f"{heading}; medians with 95 % intervals.")
        for name, heading in TABLES.items()
        if (lines := rows(_newest_of_each(records), name))
    ]
    return Section(
        anchor,
        title,
        paragraphs=(
            "Every kind of convolution at the FasterNet paper's sizes, and ShuffleNetV2's four "
            "guidelines, with the published figures beside where there are any.",
        ),
        tables=tables,
        notes=_stamped(records),
    )


def _stamped(records: Sequence[Measurement]) -> tuple[str, ...]:
    """How many of the records are used though something speaks against them."""
    wrong = [record for record in records if not record.valid]
    if not wrong:
        return ()
    kinds = dict.fromkeys(it.partition(":")[0] for record in wrong for it in record.reasons)
    return (
        f"{len(wrong)} of {len(records)} records are marked INVALID ({', '.join(kinds)}) and used "
        "all the same: their intervals are as wide as their noise.",
    )


def _newest_of_each(operators: Sequence[Measurement]) -> list[Measurement]:
    """A quick run and a full one may have timed the same."""
    names = ("table", "operator", "channels", "side", "runtime", "device", "threads", "batch")
    newest = {
        tuple(it.settings.get(name) for name in names): it
        for it in sorted(operators, key=lambda it: it.started)
    }
    kept = set(map(id, newest.values()))
    return [it for it in operators if id(it) in kept]


def _claims(results: Results, machine: Machine) -> Section:
    anchor, title, command = "claims", "Claims", ("stride claims",)
    kinds = dict.fromkeys(run.kind for run in results.runs if run.machine.key == machine.key)
    if not any(kind.startswith(CLAIMS) for kind in kinds):
        missing = "the papers' claims were not asked on this machine"
        return Section(anchor, title, missing=missing, commands=command)
    try:
        from benchmarks.claims.judged import (
            FINDING_COLUMNS,
            SUMMARY_COLUMNS,
            finding_rows,
            judge,
            summary_rows,
        )
    except ModuleNotFoundError as error:
        missing = f"claims count layers, which needs {error.name}"
        return Section(anchor, title, missing=missing, commands=command)
    records: list[Measurement] = [
        record
        for kind in kinds
        if kind.startswith(CLAIMS) or kind in ("operator", "layer", "peak")
        for record in results.records(kind, machine)
    ]
    judged = judge(records)
    tables: list[Table] = [table(SUMMARY_COLUMNS, summary_rows(judged), "All eighteen.")]
    tables += [
        table(
            FINDING_COLUMNS,
            finding_rows(entry.findings),
            f"{entry.claim.number}. {entry.claim.title}: {entry.verdict} ({entry.parts}). "
            f"{entry.claim.text}",
        )
        for entry in judged
        if entry.findings
    ]
    return Section(
        anchor,
        title,
        paragraphs=(
            "What the papers claim, held against this machine: confirmed where every part of a "
            "claim holds with its whole 95 % interval, refuted where one part fails, undecided "
            "where the records do not tell.",
        ),
        tables=tables,
        notes=_stamped(records),
        commands=command,
    )
