"""A load test as it runs, and those before it: what was asked, what was answered, what gave way."""

from monitoring.dashboards.expressions import (
    ALIVE,
    CHOSEN,
    ERRORS,
    LATENCY,
    MODELS,
    QUANTILES,
    SHARE,
    WAITING,
    buckets,
    mean,
    quantile,
    rate,
    recorded_request,
)
from monitoring.dashboards.panel import (
    BLUE,
    RED,
    YELLOW,
    Dashboard,
    Panel,
    Query,
    Row,
    Thresholds,
)

ANSWERED = f'{CHOSEN}, outcome="ok"'

LOAD = Row(
    "Asked and answered",
    (
        Panel(
            "lines",
            "Offered and answered",
            "Requests per second that arrived, and those that were answered within their deadline"
            " (goodput). Where the lines part, the service is at its limit.",
            "reqps", ALIVE,
            (
                Query(rate("stride_requests_total", f'{CHOSEN}, outcome!="invalid"', "model"),
                      "{{model}} offered"),
                Query(rate("stride_requests_total", ANSWERED, "model"), "{{model}} answered"),
            ),
            width=16,
        ),
        Panel(
            "runs",
            "Runs",
            "Load tests that left a mark (stride loadtest --grafana URL). A click goes there.",
            "dateTimeAsIso", Thresholds(BLUE), (), width=8,
        ),
        Panel(
            "lines",
            "Goodput ratio",
            "Share of the requests that were answered within their deadline.",
            "percentunit", Thresholds(RED, ((0.99, YELLOW), (0.999, "green"))),
            (Query(f"model:stride_goodput:ratio_1m{{{CHOSEN}}}", "{{model}}"),), width=8,
        ),
        Panel(
            "stack",
            "Outcomes",
            "Requests per second by how they ended.",
            "reqps", ALIVE,
            (Query(rate("stride_requests_total", CHOSEN, "outcome"), "{{outcome}}"),), width=8,
        ),
        Panel(
            "lines",
            "Errors",
            "Share of requests that were rejected, expired or failed.",
            "percentunit", ERRORS,
            (Query(f"model:stride_error:ratio_1m{{{CHOSEN}}}", "{{model}}"),), width=8,
        ),
    ),
)  # fmt: skip

TIMES = Row(
    "How long it took",
    (
        Panel(
            "lines",
            "Percentiles",
            "p50, p95 and p99 of answered requests in the service. A client sees the network and"
            " its own waiting besides: compare with the report of the run.",
            "s", LATENCY,
            tuple(
                Query(quantile(share, "stride_request_seconds", ANSWERED, "model"),
                      f"{{{{model}}}} {name}")
                for share, name in QUANTILES.items()
            ),
        ),
        Panel(
            "heatmap",
            "Requests by time",
            "How many requests took how long, of all chosen models.",
            "s", LATENCY, buckets("stride_request_seconds", ANSWERED),
        ),
        Panel(
            "number",
            "p99 over a minute",
            "99th percentile by model and protocol, as rules.yml records it: what a run's report is"
            " to be held against.",
            "s", LATENCY,
            (Query(recorded_request("0.99", CHOSEN), "{{model}} {{protocol}}"),),
            width=24, height=4,
        ),
    ),
)  # fmt: skip

LIMITS = Row(
    "What gave way",
    (
        Panel(
            "lines",
            "Instances at work",
            "Share of the time that instances spend on batches: at 100 % engines are the limit.",
            "percentunit", SHARE,
            (Query(f"model:stride_instance_busy:ratio_1m{{{CHOSEN}}}", "{{model}}"),), width=8,
        ),
        Panel(
            "lines",
            "Decode threads at work",
            "At 100 % reading pictures is the limit, not the model.",
            "percentunit", SHARE,
            (Query("instance:stride_decode_busy:ratio_1m", "{{instance}}"),), width=8,
        ),
        Panel(
            "lines",
            "Processor",
            "Processors that the service keeps busy.",
            "short", Thresholds(BLUE),
            (Query("rate(process_cpu_seconds_total[$__rate_interval])"
                   " and on (job, instance) stride_open_connections", "{{instance}}"),),
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
            "Mean batch size",
            "Images for each engine call: it grows with the queue, up to max_batch.",
            "short", Thresholds(BLUE),
            (Query(mean("stride_batch_size", CHOSEN, "model"), "{{model}}"),), width=8,
        ),
        Panel(
            "lines",
            "Connections",
            "Connections that are open, idle ones too.",
            "short", Thresholds("green", ((3000, YELLOW), (4000, RED))),
            (Query("stride_open_connections", "{{instance}}"),), width=8,
        ),
    ),
)  # fmt: skip

LOAD_TEST = Dashboard(
    "load-test",
    "Load test",
    "Load tests, marked: what was asked, what was answered, and what gave way.",
    (MODELS,),
    (LOAD, TIMES, LIMITS),
)
