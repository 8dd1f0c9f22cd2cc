"""`stride verify`: does an artifact still answer as its network did?"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands import options
from measuring.errors import InputError

if TYPE_CHECKING:
    from inference.verify_artifact import ArtifactReport


@click.command(short_help="Check that artifacts still answer as their network did.")
@click.argument("artifacts", metavar="ARTIFACT...", nargs=-1, required=True)
@click.option(
    "--runtime",
    default="auto",
    show_default=True,
    help="Check this runtime; auto: every installed one that the artifact was made for.",
)
@options.repository
@options.as_json
def command(artifacts: tuple[str, ...], runtime: str, repository: Path, as_json: bool) -> int:
    """Check artifacts on this machine: files against their checksums, answers against the
    golden pictures' reference logits, alone and in a batch: the table has the worse of the two.
    Errors are the largest logit difference in fp32, the root mean square below.

    ARTIFACT is an id or plain name in the repository, or a folder. Exit code 1 if any is outside
    its bound.
    """  # fmt: skip
    from commands.output import print_json, print_table
    from inference.verify_artifact import verify_artifact

    reports = [verify_artifact(_directory(repository, name), runtime=runtime) for name in artifacts]
    if as_json:
        print_json({"artifacts": [_document(report) for report in reports]})
    else:
        columns = ("artifact", "runtime", ">error", ">bound", ">top-1", "holds")
        print_table(columns, [row for report in reports for row in _rows(report)])
        for entry in (entry for report in reports for entry in report.replayed if entry.missing):
            click.echo(f"{entry.runtime} was not checked: {entry.missing}", err=True)
    return 0 if all(report.holds for report in reports) else 1


def _directory(repository: Path, name: str) -> Path:
    from inference.artifact import named_artifact

    try:
        folder = Path(name)
        if folder.is_dir() and (folder.is_absolute() or not (repository / name).is_dir()):
            return folder
        return named_artifact(repository, name).directory
    except OSError as error:
        raise InputError(
            f"artifact {name!r} cannot be looked for: {error.filename}: {error.strerror}; "
            "expected a folder that can be read"
        ) from error


def _rows(report: "ArtifactReport") -> list[tuple[str, ...]]:
    """A row per runtime and file, with the worst of its comparisons."""
    rows: list[tuple[str, ...]] = []
    several = len({entry.file for entry in report.replayed}) > 1
    for entry in report.replayed:
        place = "" if entry.device == "cpu" else f" on {entry.device}"
        file = f" ({entry.file})" if several else ""
        head = (report.artifact.manifest.id, f"{entry.runtime}{place}{file}")
        if entry.missing:
            rows.append((*head, "", "", "", "-"))
            continue
        worst = max(entry.parities, key=lambda parity: (not parity.holds, parity.distance))
        figures = (f"{worst.distance:.1e}", f"{worst.bound:.1e}")
        rows.append((*head, *figures, worst.agreement, "yes" if worst.holds else "NO"))
    return rows


def _document(report: "ArtifactReport") -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "id": report.artifact.manifest.id,
        "holds": report.holds,
        "replayed": [asdict(entry) for entry in report.replayed],
    }
