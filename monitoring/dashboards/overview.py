"""Which model is fast, which is busy, which is failing."""

from monitoring.dashboards.expressions import (
    ALIVE,
    BAD,
    CHOSEN,
    ERRORS,
    LATENCY,
    MODELS,
    SHARE,
    WAITING,
    rate,
    recorded_request,
)
from monitoring.dashboards.panel import (
    BLUE,
    GREEN,
    RED,
    YELLOW,
    Column,
    Dashboard,
    Panel,
    Query,
    Row,
    Thresholds,
)

P50, P99 = recorded_request("0.5", CHOSEN), recorded_request("0.99", CHOSEN)
BURN = Thresholds(GREEN, ((1, YELLOW), (14.4, RED)))
READY = Thresholds(RED, ((1, GREEN),))
START = Thresholds(GREEN, ((10, YELLOW), (60, RED)))


def _recorded(name: str) -> str:
    return f"{name}{{{CHOSEN}}}"


def _by_model(name: str) -> str:
    """Without its name, by which a table would keep the columns of a model apart."""
    return f"max by (model) ({_recorded(name)})"


def _burn(window: str) -> str:
    bad = _recorded(f"model:stride_bad:ratio_{window}")
    return f"{bad} / on (slo) group_left () stride:error_budget"


NOW = Row(
    "Now",
    (
        Panel(
            "number",
            "Answered in time",
            "Requests per second that were answered within their deadline, over the last minute.",
            "reqps", ALIVE,
            (Query(f"sum({_recorded('model:stride_goodput:rate_1m')})", "answered"),),
            width=4, height=5,
        ),
        Panel(
            "number",
            "Of what was asked",
            "Share of the requests that were answered within their deadline. Malformed ones are"
            " their client's doing and do not count.",
            "percentunit", Thresholds(RED, ((0.99, YELLOW), (0.999, GREEN))),
            (Query(f"sum({_recorded('model:stride_goodput:rate_1m')})"
                   f" / sum({_recorded('model:stride_offered:rate_1m')})", "answered"),),
            width=4, height=5,
        ),
        Panel(
            "number",
            "Slowest p99",
            "99th percentile of the model and protocol that has the highest one, in the service.",
            "s", LATENCY, (Query(f"max({P99})", "p99"),), width=4, height=5,
        ),
        Panel(
            "number",
            "Busiest model",
            "Largest share of the time that a model's instances were at work. Near 100 % requests"
            " queue.",
            "percentunit", SHARE,
            (Query(f"max({_recorded('model:stride_instance_busy:ratio_1m')})", "busy"),),
            width=4, height=5,
        ),
        Panel(
            "number",
            "Fullest queue",
            "Share of a model's queue that is taken. A full one refuses with 503.",
            "percentunit", SHARE,
            (Query(f"max({_recorded('model:stride_queue:ratio')})", "full"),), width=4, height=5,
        ),
        Panel(
            "number",
            "Alerts",
            "Alerts of monitoring/prometheus/alerts.yml that fire now; docs/monitoring.md has what"
            " to do.",
            "short", Thresholds(GREEN, ((1, RED),)),
            (Query('count(ALERTS{alertname=~"Stride.*", alertstate="firing"}) or vector(0)',
                   "firing"),),
            width=4, height=5,
        ),
        Panel(
            "table",
            "Models",
            "Over the last minute: how fast, how busy, how often failing, and what runs it. Times"
            " are of answered requests, by protocol: their slowest.",
            "short", Thresholds(BLUE),
            (
                Query(f"max by (model) ({P50})", "p50"),
                Query(f"max by (model) ({P99})", "p99"),
                Query(_by_model("model:stride_goodput:rate_1m"), "answers/s"),
                Query(_by_model("model:stride_goodput_images:rate_1m"), "images/s"),
                Query(_by_model("model:stride_instance_busy:ratio_1m"), "busy"),
                Query(_by_model("model:stride_queue:ratio"), "queue full"),
                Query(_by_model("model:stride_error:ratio_1m"), "errors"),
                Query("max by (model, runtime, precision, device)"
                      f" ({_recorded('stride_engine_info')})", "loaded"),
            ),
            width=24,
            columns=(
                Column("p50", "s", LATENCY),
                Column("p99", "s", LATENCY),
                Column("answers/s", "reqps", ALIVE),
                Column("images/s", "short", ALIVE),
                Column("busy", "percentunit", SHARE),
                Column("queue full", "percentunit", SHARE),
                Column("errors", "percentunit", ERRORS),
            ),
        ),
    ),
)  # fmt: skip

FAST = Row(
    "Fast",
    (
        Panel(
            "lines",
            "p50 and p99",
            "Percentiles of answered requests in the service, by model and protocol.",
            "s", LATENCY,
            (Query(P50, "{{model}} {{protocol}} p50"), Query(P99, "{{model}} {{protocol}} p99")),
        ),
        Panel(
            "lines",
            "Images per second",
            "Images that went through a model's engine, and of them those whose request was"
            " answered: what lies between was computed in vain.",
            "short", ALIVE,
            (
                Query(rate("stride_images_total", CHOSEN, "model"), "{{model}} computed"),
                Query(_recorded("model:stride_goodput_images:rate_1m"), "{{model}} answered"),
            ),
        ),
    ),
)  # fmt: skip

BUSY = Row(
    "Busy",
    (
        Panel(
            "lines",
            "Instances at work",
            "Share of the time that each instance of a model spends on batches.",
            "percentunit", SHARE,
            (Query(f"avg by (model, exported_instance)"
                   f" (rate(stride_instance_busy_seconds_total{{{CHOSEN}}}[$__rate_interval]))",
                   "{{model}} {{exported_instance}}"),),
            width=8,
        ),
        Panel(
            "lines",
            "Queue",
            "Images that wait for an instance.",
            "short", WAITING,
            (Query(f"sum by (model) (stride_queue_depth{{{CHOSEN}}})", "{{model}}"),), width=8,
        ),
        Panel(
            "lines",
            "In progress",
            "Requests that were admitted and are not yet answered.",
            "short", WAITING,
            (Query(f"sum by (model) (nv_inference_pending_request_count{{{CHOSEN}}})",
                   "{{model}}"),),
            width=8,
        ),
    ),
)  # fmt: skip

FAILING = Row(
    "Failing",
    (
        Panel(
            "stack",
            "Requests by outcome",
            "All requests per second by how they ended; docs/metrics.md says what each outcome is.",
            "reqps", ALIVE,
            (Query(rate("stride_requests_total", CHOSEN, "outcome"), "{{outcome}}"),), width=8,
        ),
        Panel(
            "lines",
            "Errors",
            f"Share of requests that ended as {BAD.replace('|', ', ')}. The lines are the budget of"
            " 0.1 % and ten times that.",
            "percentunit", ERRORS,
            (Query(_recorded("model:stride_error:ratio_1m"), "{{model}}"),), width=8,
        ),
        Panel(
            "lines",
            "Failures by reason",
            "Requests per second that a model's queue or engine did not answer, in Triton's words:"
            " REJECTED, CANCELED, BACKEND, OTHER.",
            "reqps", Thresholds(GREEN, ((0.001, RED),)),
            (Query(rate("nv_inference_request_failure", CHOSEN, "model", "reason"),
                   "{{model}} {{reason}}"),),
            width=8,
        ),
        Panel(
            "lines",
            "Budget burn",
            "How many times faster than allowed the error budget of 30 days is used up, over 1 h"
            " and 6 h. From 14.4 over an hour somebody is called.",
            "short", BURN,
            (
                Query(_burn("1h"), "{{model}} {{slo}} 1h"),
                Query(_burn("6h"), "{{model}} {{slo}} 6h"),
            ),
        ),
        Panel(
            "lines",
            "Engines that answer",
            "1 while an instance of the model answers, 0 while all of them fail or hang.",
            "short", READY,
            (Query(f"min by (model) (stride_engine_ready{{{CHOSEN}}})", "{{model}}"),), width=6,
        ),
        Panel(
            "lines",
            "Cold start",
            "Time from opening a model's engines until they were proved and warm, when it was last"
            " loaded.",
            "s", START,
            (Query(f"max by (model) (stride_engine_start_seconds{{{CHOSEN}}})", "{{model}}"),),
            width=6,
        ),
    ),
)  # fmt: skip

OVERVIEW = Dashboard(
    "overview",
    "Overview",
    "Which model is fast, busy, failing.",
    (MODELS,),
    (NOW, FAST, BUSY, FAILING),
)
