"""Two models side by side, and what lies between them."""

from monitoring.dashboards.expressions import (
    ALIVE,
    BAD,
    ERRORS,
    LATENCY,
    LOADED,
    QUANTILES,
    SHARE,
    buckets,
    mean,
    percentiles,
    quantile,
    rate,
    stage_means,
)
from monitoring.dashboards.panel import (
    BLUE,
    GREEN,
    RED,
    YELLOW,
    Dashboard,
    Panel,
    Query,
    Row,
    Thresholds,
    Variable,
)

A, B = 'model="$model_a"', 'model="$model_b"'
SLOWER = Thresholds(GREEN, ((0, YELLOW), (0.1, RED)))
"""A minus B: below zero A is the faster one."""
TIMES = Thresholds(GREEN, ((1, YELLOW), (2, RED)))


def _variable(letter: str, what: str) -> Variable:
    return Variable(f"model_{letter.lower()}", letter, what, LOADED, last=letter == "B")


def _share(outcomes: str, selector: str, *, of: str) -> str:
    metric = "stride_requests_total"
    return (
        f"sum(rate({metric}{{{selector}, {outcomes}}}[$__rate_interval]))"
        f" / sum(rate({metric}{{{selector}, {of}}}[$__rate_interval]))"
    )


def _both(first: str, second: str) -> tuple[Query, ...]:
    return (Query(first, "A $model_a"), Query(second, "B $model_b"))


def _a_and_b(share: str, operator: str) -> str:
    first, second = (
        quantile(share, "stride_request_seconds", f'{each}, outcome="ok"') for each in (A, B)
    )
    return f"{first} {operator} {second}"


DIFFERENCE = Row(
    "A minus B",
    (
        Panel(
            "lines",
            "Latency: A minus B",
            "Difference of each percentile of answered requests: below zero A is faster. They are"
            " comparable where both get the same kind of traffic.",
            "s", SLOWER,
            tuple(Query(_a_and_b(share, "-"), name) for share, name in QUANTILES.items()),
            width=8,
        ),
        Panel(
            "lines",
            "Stages: A minus B",
            "Difference of the mean of each stage: which part of the path makes the difference.",
            "s", SLOWER,
            (Query(f"{mean('stride_stage_seconds', A, 'stage')}"
                   f" - {mean('stride_stage_seconds', B, 'stage')}", "{{stage}}"),),
            width=8,
        ),
        Panel(
            "lines",
            "A times as slow as B",
            "Ratio of p50 and p99: 1 is a tie, below it A is faster.",
            "short", TIMES,
            tuple(Query(_a_and_b(share, "/"), QUANTILES[share]) for share in ("0.5", "0.99")),
            width=8,
        ),
    ),
)  # fmt: skip

SIDE_BY_SIDE = Row(
    "Side by side",
    tuple(
        panel
        for kind in ("percentiles", "heatmap")
        for letter, selector in (("A", f'{A}, outcome="ok"'), ("B", f'{B}, outcome="ok"'))
        for panel in (
            Panel(
                "lines",
                f"{letter}: percentiles of $model_{letter.lower()}",
                "p50, p95 and p99 of answered requests.",
                "s", LATENCY, percentiles("stride_request_seconds", selector),
            )
            if kind == "percentiles"
            else Panel(
                "heatmap",
                f"{letter}: requests of $model_{letter.lower()} by time",
                "How many requests took how long.",
                "s", LATENCY, buckets("stride_request_seconds", selector),
            ),
        )
    ),
)  # fmt: skip

TOGETHER = Row(
    "Both in one",
    (
        Panel(
            "waterfall",
            "Waterfall",
            "Mean of each stage over the last minute, one after the other.",
            "s", LATENCY, stage_means('model=~"$model_a|$model_b"'),
        ),
        Panel(
            "lines",
            "Answers per second",
            "Requests that were answered within their deadline.",
            "reqps", ALIVE,
            _both(
                f"sum(rate(stride_requests_total{{{A}, outcome=\"ok\"}}[$__rate_interval]))",
                f"sum(rate(stride_requests_total{{{B}, outcome=\"ok\"}}[$__rate_interval]))",
            ),
        ),
        Panel(
            "lines",
            "Instances at work",
            "Share of the time that their instances spend on batches: who has room left.",
            "percentunit", SHARE,
            _both(f"model:stride_instance_busy:ratio_1m{{{A}}}",
                  f"model:stride_instance_busy:ratio_1m{{{B}}}"),
            width=8,
        ),
        Panel(
            "lines",
            "Errors",
            "Share of requests that the service did not answer as it should.",
            "percentunit", ERRORS,
            _both(
                *(_share(f'outcome=~"{BAD}"', each, of='outcome!~"invalid|cancelled"')
                  for each in (A, B))
            ),
            width=8,
        ),
        Panel(
            "lines",
            "Engine time for an image",
            "Time of the engine calls divided by the images in them.",
            "s", Thresholds(BLUE, ((0.1, YELLOW), (1, RED))),
            _both(
                *(f"{rate('nv_inference_compute_infer_duration_us', each)} / 1e6"
                  f" / {rate('nv_inference_count', each)}" for each in (A, B))
            ),
            width=8,
        ),
    ),
)  # fmt: skip

COMPARE = Dashboard(
    "compare",
    "Compare",
    "Two models side by side, with their difference.",
    (_variable("A", "The one that is compared."), _variable("B", "What it is compared with.")),
    (DIFFERENCE, SIDE_BY_SIDE, TOGETHER),
)
