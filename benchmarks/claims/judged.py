"""Claims with their findings: as rows of tables, as plain data, and in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.claims.evidence import Evidence
from benchmarks.claims.table import CLAIMS, Claim
from benchmarks.claims.verdict import Finding, Verdict, verdict
from measuring.record import Measurement


@dataclass(frozen=True)
class Judged:
    """A claim and what there is to say to it on this machine."""

    claim: Claim
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        return verdict(self.findings)

    @property
    def parts(self) -> str:
        """`7 of 9 parts hold, 1 does not, 1 undecided`."""
        each = [finding.verdict for finding in self.findings if finding.counts]
        told = f"{each.count('confirmed')} of {len(each)} parts hold"
        if each.count("refuted"):
            told += f", {each.count('refuted')} not"
        if each.count("undecided"):
            told += f", {each.count('undecided')} undecided"
        return told

    @property
    def command(self) -> str:
        """What asks it again."""
        return f"stride claims {self.claim.number}"


def judge(measurements: Sequence[Measurement], claims: Sequence[Claim] = CLAIMS) -> list[Judged]:
    """Every claim by the records at hand; pure but for what is counted on the spot."""
    evidence = Evidence(measurements)
    return [Judged(claim, tuple(claim.judge(evidence))) for claim in claims]


SUMMARY_COLUMNS = ("#", "claim", "verdict", "parts")
FINDING_COLUMNS = ("statement", ">measured", ">needed", "verdict")


def summary_rows(judged: Sequence[Judged]) -> list[list[str]]:
    """A line for each claim."""
    return [[str(j.claim.number), j.claim.title, j.verdict, j.parts] for j in judged]


def finding_rows(findings: Sequence[Finding]) -> list[list[str]]:
    """A line for each statement; what is told beside has no bound and no verdict."""
    return [
        [f.statement, measured(f), _needed(f) if f.counts else "", f.verdict if f.counts else ""]
        for f in findings
    ]


def measured(finding: Finding) -> str:
    """The value with its interval, or why there is none."""
    value = finding.value
    if value is None:
        return finding.reason
    unit = "" if finding.unit in ("", "times") else f" {finding.unit}"
    middle = _number(value.estimate)
    if value.low == value.high:
        return f"{middle}{unit}"
    return f"{middle} ({_number(value.low)} to {_number(value.high)}){unit}"


def _needed(finding: Finding) -> str:
    words = {"above": "> ", "below": "< ", "equal": ""}
    return f"{words[finding.sense]}{_number(finding.bound)}"


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def document(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """For machines."""
    return [
        {
            "claim": j.claim.number,
            "title": j.claim.title,
            "text": j.claim.text,
            "verdict": j.verdict,
            "command": j.command,
            "findings": [_finding(finding) for finding in j.findings],
        }
        for j in judged
    ]


def _finding(finding: Finding) -> dict[str, Any]:
    value = finding.value
    return {
        "statement": finding.statement,
        "value": value.estimate if value else None,
        "low": value.low if value else None,
        "high": value.high if value else None,
        "unit": finding.unit,
        "sense": finding.sense if finding.counts else None,
        "bound": finding.bound if finding.counts else None,
        "verdict": finding.verdict if finding.counts else None,
        "reason": finding.reason or None,
    }
