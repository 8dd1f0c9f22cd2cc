"""Response times to three digits, where locust rounds to milliseconds below 100 ms and cuts what is
left of them in its CSV files and its console.

Three digits are 0.01 ms below 10 ms and 0.1 ms below 100 ms, so that a table tells 0.6 from 0.9 ms;
a row holds at most some thousand different times, few enough for workers to send.
"""

from typing import Any

from locust import stats


def bucket(milliseconds: float) -> float:
    """The time that a response time is counted under."""
    if milliseconds < 10.0:
        return round(milliseconds, 2)
    if milliseconds < 100.0:
        return round(milliseconds, 1)
    if milliseconds < 1_000.0:
        return round(milliseconds)
    return int(round(milliseconds, -1 if milliseconds < 10_000.0 else -2))


def install() -> None:
    """Replace what rounds and what cuts in this process; workers and master each need it."""
    replaced: dict[tuple[Any, str], Any] = {
        (stats, "bucket_response_time"): bucket,
        (stats.StatsCSV, "_percentile_fields"): _csv_percentiles,
        (stats.StatsEntry, "to_string"): _console_line,
        (stats.StatsEntry, "percentile"): _console_percentiles,
        (stats.StatsEntry, "to_dict"): _with_exact_extremes(stats.StatsEntry.to_dict),
    }
    for (owner, name), own in replaced.items():
        if not hasattr(owner, name):
            raise RuntimeError(f"this locust has no {name} to replace; it takes locust 2.47")
        setattr(owner, name, own)


def _with_exact_extremes(original: Any) -> Any:
    """For the page and the HTML report: locust rounds the least and the most to milliseconds."""

    def to_dict(entry: stats.StatsEntry, **named: Any) -> dict[str, Any]:
        extremes = {
            "min_response_time": bucket(entry.min_response_time or 0.0),
            "max_response_time": bucket(entry.max_response_time),
        }
        return {**original(entry, **named), **extremes}

    return to_dict


def _csv_percentiles(
    writer: stats.StatsCSV, entry: stats.StatsEntry, use_current: bool = False
) -> list[Any]:
    if not entry.num_requests:
        return writer.percentiles_na
    current = use_current and entry.use_response_times_cache
    percentile = (
        entry.get_current_response_time_percentile
        if current
        else entry.get_response_time_percentile
    )
    return [percentile(rank) or 0 for rank in writer.percentiles_to_report]


def _console_line(entry: stats.StatsEntry, current: bool = True) -> str:
    """In the columns that locust's own header has."""
    width = stats.STATS_NAME_WIDTH - stats.STATS_TYPE_WIDTH + 4
    failed = f"{entry.num_failures}({entry.fail_ratio:.2%})"
    times = (
        entry.avg_response_time,
        entry.min_response_time or 0.0,
        entry.max_response_time,
        entry.median_response_time,
    )
    average, least, most, median = (f"{bucket(time):g}" for time in times)
    rate = entry.current_rps if current else entry.total_rps
    failures = entry.current_fail_per_sec if current else entry.total_fail_per_sec
    return (
        f"{entry.method or '':<{stats.STATS_TYPE_WIDTH}} {entry.name:<{width}} "
        f"{entry.num_requests:>7} {failed:>12} |{average:>7} {least:>7} {most:>7}{median:>7} | "
        f"{rate:>7.2f} {failures:>11.2f}"
    )


def _console_percentiles(entry: stats.StatsEntry) -> str:
    """In the columns that locust's own header has: the first percentile is the wide one."""
    first, *others = (
        f"{entry.get_response_time_percentile(rank):g}" for rank in stats.PERCENTILES_TO_REPORT
    )
    cells = " ".join(f"{each:>6}" for each in [*others, str(entry.num_requests)])
    return (
        f"{entry.method or '':<{stats.STATS_TYPE_WIDTH}} "
        f"{entry.name:<{stats.STATS_NAME_WIDTH}} {first:>8} {cells}"
    )
