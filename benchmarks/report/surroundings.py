"""The machine, what to keep in mind, and the commands: what a reader needs to do it again."""

from collections.abc import Sequence

from benchmarks.recommend import Recommendation
from benchmarks.report.results import Results, Run
from benchmarks.report.section import Section, table
from measuring.machine import Machine


def machine(runs: Sequence[Run], here: Machine) -> Section:
    """Of the newest run, and what is different on the machine that writes the report."""
    of = runs[0].machine if runs else here
    gpus = ", ".join(f"{gpu.name}, driver {gpu.driver}" for gpu in of.gpus or ()) or "none found"
    quota = "unlimited" if of.quota is None else f"{of.quota:g} cores"
    moment = of.moment
    clock = "not readable" if moment.frequency is None else f"{moment.frequency / 1e9:.2f} GHz"
    environment = " ".join(f"{name}={value}" for name, value in moment.environment.items())
    rows = [
        ("processor", of.processor.model + (", virtual machine" if of.processor.virtual else "")),
        ("features", " ".join(of.processor.features)),
        ("cores", f"{of.cores} of {of.processor.logical_cores} logical; quota {quota}"),
        ("memory", f"{of.memory / 2**30:.1f} GiB"),
        ("GPU", gpus),
        ("system", f"{of.system}, Python {of.python}"),
        ("libraries", ", ".join(f"{name} {version}" for name, version in of.libraries.items())),
        ("thread settings", environment or "none"),
        ("governor, clock", f"{moment.governor or 'not readable'}, {clock}"),
        ("load before", "not readable" if moment.load is None else f"{moment.load:.2f}"),
        ("key", of.key),
    ]
    changed = of.differences(here) if of.key == here.key else ()
    notes = [f"Since it was measured, this machine has changed: {'; '.join(changed)}."] * bool(
        changed
    )
    if of.key != here.key:
        notes.append("The records are of another machine than the one that wrote this report.")
    return Section("machine", "Machine", tables=[table(("what", "is"), rows)], notes=notes)


def caveats(found: Recommendation, results: Results) -> Section:
    """Of the choice and of the records; what was left out with the reason."""
    notes = list(found.caveats)
    notes += [f"{name} is not wholly in the report: {why}" for name, why in results.unread.items()]
    rows = [(it.name, it.reason) for it in found.left_out]
    tables = [table(("record", "why it is not used"), rows)] if rows else []
    return Section("caveats", "Caveats", notes=notes, tables=tables)


def reproduce(runs: Sequence[Run], command: str) -> Section:
    """The commands, and which runs the report was made of."""
    rows = [(run.kind, run.name, run.started, str(len(run.records)), str(run.path)) for run in runs]
    columns = ("kind", "run", "started", ">records", "file")
    benches = [run for run in runs if run.kind == "bench"]
    artifacts = sorted({str(it.settings["artifact"]) for run in benches for it in run.records})
    return Section(
        "reproduce",
        "Again",
        paragraphs=("What this report was made of, and the commands that make it again.",),
        tables=[table(columns, rows)],
        commands=[*[f"stride bench {' '.join(artifacts)}".strip()] * bool(benches), command],
    )
