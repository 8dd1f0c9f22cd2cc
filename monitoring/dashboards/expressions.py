"""PromQL that several panels share. `$model`, `$stage` and the like are a dashboard's variables."""

from monitoring.dashboards.panel import GREEN, RED, YELLOW, Query, Thresholds, Variable

STAGES = ("receive", "decode", "resize", "queue", "inference", "respond")
"""In the order of a request, which no label has."""
QUANTILES = {"0.5": "p50", "0.95": "p95", "0.99": "p99"}
BAD = "rejected|expired|error"
"""Outcomes that are the service's fault."""
CHOSEN = 'model=~"$model"'

LATENCY = Thresholds(GREEN, ((0.1, YELLOW), (0.5, RED)))
"""From the objective of rules.yml on, and where people notice."""
SHARE = Thresholds(GREEN, ((0.8, YELLOW), (0.95, RED)))
ERRORS = Thresholds(GREEN, ((0.001, YELLOW), (0.01, RED)))
"""From the budget of rules.yml on, and ten times that."""
ALIVE = Thresholds(RED, ((0.001, GREEN),))
WAITING = Thresholds(GREEN, ((1, YELLOW), (100, RED)))

LOADED = "label_values(stride_engine_info, model)"
MODELS = Variable("model", "Model", "Models that are loaded.", LOADED, many=True)


def rate(metric: str, selector: str, *by: str) -> str:
    """Per second, summed over all services, apart by these labels."""
    return f"sum by ({', '.join(by)}) (rate({metric}{{{selector}}}[$__rate_interval]))"


def mean(metric: str, selector: str, *by: str) -> str:
    """Of what a histogram observed."""
    return f"{rate(f'{metric}_sum', selector, *by)} / {rate(f'{metric}_count', selector, *by)}"


def quantile(share: str, metric: str, selector: str, *by: str) -> str:
    """Of a histogram; `share` as in "0.99"."""
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', selector, *by, 'le')})"


def percentiles(metric: str, selector: str) -> tuple[Query, ...]:
    """p50, p95 and p99 of a histogram."""
    return tuple(
        Query(quantile(share, metric, selector), name) for share, name in QUANTILES.items()
    )


def buckets(metric: str, selector: str) -> tuple[Query, ...]:
    """Observations by bucket, for a heat map."""
    counted = f"sum by (le) (increase({metric}_bucket{{{selector}}}[$__rate_interval]))"
    return (Query(counted, "{{le}}"),)


def stage_means(selector: str) -> tuple[Query, ...]:
    """The mean of each stage, in the order of a request, a column for each: a waterfall."""
    recorded = "model_stage:stride_stage_seconds:mean_1m"
    return tuple(
        Query(f'max by (model) ({recorded}{{{selector}, stage="{stage}"}})', stage, now=True)
        for stage in STAGES
    )


def recorded_request(share: str, selector: str) -> str:
    """A percentile of whole requests, as rules.yml records it."""
    return f'model_protocol:stride_request_seconds:quantile_1m{{{selector}, quantile="{share}"}}'
