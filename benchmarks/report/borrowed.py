"""Sections whose records and plots other modules make; what is missing says how to make it."""

from benchmarks.report.section import Section


def borrowed() -> list[Section]:
    return []
