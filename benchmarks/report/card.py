"""The decision card: what to deploy, on one glance, and what would change it."""

from collections.abc import Sequence

from benchmarks.recommend import Recommendation
from benchmarks.recommend_changes import Change, miss
from benchmarks.recommend_choices import Choice
from benchmarks.recommend_reasons import accuracy_words
from benchmarks.report.section import Card
from measuring.machine import Machine
from measuring.record import Measurement


def card(
    found: Recommendation,
    changes: Sequence[Change],
    records: Sequence[Measurement],
    place: str,
    notes: Sequence[str] = (),
) -> Card:
    """`place`: `this machine` or another one's name; `notes`: what was assumed."""
    question = f"On {place}, for {found.requirements.words}:"
    altered = [(change.condition, change.words) for change in changes]
    if found.chosen is None or found.prediction is None:
        headline = (
            f"Nothing measured meets this; {miss(found.nearest)}."
            if found.nearest
            else _none(found)
        )
        return Card(question, headline, False, why=found.why, changes=altered, notes=notes)
    choice = found.chosen
    ties = [tie.name for tie in found.ties]
    if not choice.trained:
        notes = [
            "Untrained weights were timed: as fast as trained ones, answers mean nothing.",
            *notes,
        ]
    if choice.reasons:
        notes = [f"Rests on records marked INVALID: {' / '.join(choice.reasons)}.", *notes]
    return Card(
        question,
        f"{choice.name}",
        True,
        facts=_facts(found, choice, records),
        why=found.why,
        changes=altered,
        ties=[*ties, f"taken among them: {found.tie_break}"] if ties else (),
        command=serve_command(choice),
        notes=notes,
    )


def _none(found: Recommendation) -> str:
    """Why there is not even a nearest miss."""
    if not found.left_out:
        return "Nothing was measured."
    stamped = [it for it in found.left_out if it.reason.startswith("INVALID")]
    if len(stamped) < len(found.left_out):
        return "No record can be used; see the caveats."
    return (
        f"Nothing to choose from: all {len(stamped)} records are marked INVALID "
        f"({stamped[0].reason.removeprefix('INVALID: ')}). Measure again while the machine does "
        "nothing else, or use them all the same with --invalid."
    )


def serve_command(choice: Choice) -> str:
    """What deploys the choice."""
    device = "" if choice.device == "cpu" else f",device={choice.device}"
    return (
        f"stride serve --model {choice.artifact}:runtime={choice.runtime}{device},"
        f"instances={choice.instances},threads={choice.threads},max_batch={choice.max_batch}"
    )


def machine_name(machine: Machine) -> str:
    """`2 cores of AMD EPYC`, or the first GPU beside them."""
    gpu = f" with {machine.gpus[0].name}" if machine.gpus else ""
    return f"{machine.cores} cores of {machine.processor.model}{gpu}"


def _facts(
    found: Recommendation, choice: Choice, records: Sequence[Measurement]
) -> list[tuple[str, str]]:
    asked, prediction = found.requirements, found.prediction
    facts = [
        ("top-1", accuracy_words(choice.accuracy)),
        ("weights", "trained" if choice.trained else "untrained"),
        (
            f"p{asked.percentile:g}, predicted",
            f"{prediction.seconds * 1e3:.1f} ms" if prediction else "",
        ),
        ("holds", f"{found.holds:.0f} requests/s" if found.holds is not None else ""),
        ("headroom", f"{found.headroom:.1f} times" if found.headroom is not None else ""),
        (
            "images/s, measured",
            f"{choice.throughput.estimate:.0f} ({choice.throughput.low:.0f} to "
            f"{choice.throughput.high:.0f})",
        ),
    ]
    if choice.memory is not None:
        facts.append(("memory, at most", f"{choice.memory / 1e6:,.0f} MB"))
    record = next((it for it in records if _is_of(it, choice)), None)
    if record is not None:
        cold, energy = (record.settings.get(key) for key in ("cold_start", "energy_per_image"))
        if cold is not None:
            facts.append(("cold start", f"{float(str(cold)):.2f} s"))
        if energy is not None:
            facts.append(("energy", f"{float(str(energy)) * 1e3:.2f} mJ per image"))
    return facts


def _is_of(record: Measurement, choice: Choice) -> bool:
    settings = record.settings
    return (
        settings.get("artifact"),
        settings.get("runtime"),
        settings.get("device"),
        settings.get("threads"),
        settings.get("instances"),
        settings.get("batch"),
    ) == (
        choice.artifact,
        choice.runtime,
        choice.device,
        choice.threads,
        choice.instances,
        choice.max_batch,
    )
