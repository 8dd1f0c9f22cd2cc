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
    golden pictures' reference logits, alone and in a batch.

    ARTIFACT is an id in the repository or a folder. Exit code 1 if any is outside its bound.
    """  # fmt: skip
    from commands.output import print_json, print_table
    from inference.verify_artifact import verify_artifact

    reports = [verify_artifact(_directory(repository, name), runtime=runtime) for name in artifacts]
    if as_json:
        print_json({"artifacts": [_document(report) for report in reports]})
    else:
        columns = ("artifact", "runtime", "pictures", ">max |dlogit|", ">bound", ">top-1", "holds")
        print_table(columns, [row for report in reports for row in _rows(report)])
    return 0 if all(report.holds for report in reports) else 1


def _directory(repository: Path, name: str) -> Path:
    for directory in (repository / name, Path(name)):
        if directory.is_dir():
            return directory
    raise InputError(
        f"no artifact {name!r}: neither {repository / name} nor {name} is a folder; "
        "`stride models` shows what is exported"
    )


def _rows(report: "ArtifactReport") -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    identity = report.artifact.manifest.id
    for entry in report.replayed:
        if entry.missing:
            rows.append((identity, entry.runtime, "", "", "", "", f"not checked: {entry.missing}"))
        rows += (
            (identity, entry.runtime, f"{parity.images} {parity.reference}",
             f"{parity.max_abs_dlogit:.2g}", f"{parity.bound:.2g}",
             f"{parity.top1_agreement:.1%}", "yes" if parity.holds else "NO")
            for parity in entry.parities
        )  # fmt: skip
    return rows


def _document(report: "ArtifactReport") -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "id": report.artifact.manifest.id,
        "holds": report.holds,
        "replayed": [asdict(entry) for entry in report.replayed],
    }
