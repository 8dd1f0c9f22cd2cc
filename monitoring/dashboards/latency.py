"""Where the time of a request goes: percentiles and heat maps by model and stage."""

from monitoring.dashboards.expressions import (
    LATENCY,
    LOADED,
    QUANTILES,
    SHARE,
    WAITING,
    buckets,
    mean,
    percentiles,
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

ONE = 'model="$model"'
STAGE = f'{ONE}, stage=~"$stage"'
ANSWERED = f'{ONE}, outcome="ok"'
BATCHES = Thresholds(BLUE)
TRITONS = ("queue", "compute_input", "compute_infer", "compute_output")

VARIABLES = (
    Variable("model", "Model", "One of the loaded models.", LOADED),
    Variable(
        "stage",
        "Stage",
        "Stages that are shown one by one.",
        "label_values(stride_stage_seconds_count, stage)",
        many=True,
    ),
)

REQUESTS = Row(
    "Requests",
    (
        Panel(
            "lines",
            "Percentiles",
            "p50, p95 and p99 of answered requests, from the parsed head to the last byte handed to"
            " the socket. Points are single requests with their trace, where tracing is on.",
            "s", LATENCY, percentiles("stride_request_seconds", ANSWERED),
        ),
        Panel(
            "heatmap",
            "Requests by time",
            "How many requests took how long: two humps that one percentile would hide are seen"
            " here.",
            "s", LATENCY, buckets("stride_request_seconds", ANSWERED),
        ),
    ),
)  # fmt: skip

BY_STAGE = Row(
    "Stages",
    (
        Panel(
            "waterfall",
            "Waterfall",
            "Mean of each stage over the last minute, one after the other, for each model: where"
            " the time goes.",
            "s", LATENCY, stage_means('model!="unknown"'),
        ),
        Panel(
            "stack",
            "Mean time by stage",
            "Stages on top of each other. What is left of the request is waiting for a decode"
            " thread or for the event loop.",
            "s", LATENCY,
            (
                Query(mean("stride_stage_seconds", ONE, "stage"), "{{stage}}"),
                Query(f"clamp_min({mean('stride_request_seconds', ANSWERED, 'model')} - sum by"
                      f" (model) ({mean('stride_stage_seconds', ONE, 'model', 'stage')}), 0)",
                      "waiting between stages"),
            ),
        ),
        *(
            Panel(
                "lines",
                f"{name} by stage",
                f"{name} of each stage over a minute, as rules.yml records it.",
                "s", LATENCY,
                (Query("model_stage:stride_stage_seconds:quantile_1m"
                       f'{{{ONE}, quantile="{share}"}}', "{{stage}}"),),
                width=8,
            )
            for share, name in QUANTILES.items()
        ),
    ),
)  # fmt: skip

EACH = Row(
    "Each stage",
    (
        Panel(
            "heatmap",
            "$stage by time",
            "How often this stage took how long.",
            "s", LATENCY, buckets("stride_stage_seconds", STAGE), width=24, repeat="stage",
        ),
        Panel(
            "lines",
            "Percentiles of $stage",
            "p50, p95 and p99 of this stage.",
            "s", LATENCY, percentiles("stride_stage_seconds", STAGE), width=24, repeat="stage",
        ),
    ),
)  # fmt: skip

BATCHING = Row(
    "Batches and queues",
    (
        Panel(
            "heatmap",
            "Batch sizes",
            "How many images an engine call had.",
            "short", BATCHES, buckets("stride_batch_size", ONE), width=8,
        ),
        Panel(
            "lines",
            "Mean batch size",
            "Images for each engine call: of all calls, and of those whose requests were answered.",
            "short", BATCHES,
            (
                Query(mean("stride_batch_size", ONE, "model"), "all"),
                Query(f"{rate('nv_inference_count', ONE, 'model')}"
                      f" / {rate('nv_inference_exec_count', ONE, 'model')}", "answered"),
            ),
            width=8,
        ),
        Panel(
            "lines",
            "Queue",
            "Images that wait for an instance, and how many may.",
            "short", WAITING,
            (
                Query(f"sum by (model) (stride_queue_depth{{{ONE}}})", "waiting"),
                Query(f"sum by (model) (stride_queue_capacity{{{ONE}}})", "capacity"),
            ),
            width=8,
        ),
        Panel(
            "lines",
            "In the core",
            "Mean time of an answered request by Triton's counters: waiting, putting the batch"
            " together, the engine, handing back, and all from admission on.",
            "s", LATENCY,
            (
                *(
                    Query(f"{rate(f'nv_inference_{name}_duration_us', ONE, 'model')} / 1e6"
                          f" / {rate('nv_inference_request_success', ONE, 'model')}", name)
                    for name in TRITONS
                ),
                Query(f"{rate('nv_inference_request_duration_us', ONE, 'model')} / 1e6"
                      f" / {rate('nv_inference_request_success', ONE, 'model')}", "request"),
            ),
        ),
        Panel(
            "lines",
            "Decode threads at work",
            "Share of the time that the threads which decode and resize are busy, for all models"
            " together.",
            "percentunit", SHARE,
            (Query("instance:stride_decode_busy:ratio_1m", "{{instance}}"),), width=6,
        ),
        Panel(
            "lines",
            "Waiting for a decode thread",
            "Pictures that wait, beside the threads there are.",
            "short", Thresholds(GREEN, ((10, YELLOW), (100, RED))),
            (
                Query("stride_decode_waiting", "{{instance}} waiting"),
                Query("stride_decode_threads", "{{instance}} threads"),
            ),
            width=6,
        ),
    ),
)  # fmt: skip

LATENCY_DASHBOARD = Dashboard(
    "latency",
    "Latency",
    "Percentiles and heat maps by model and stage, the waterfall, batches and queues.",
    VARIABLES,
    (REQUESTS, BY_STAGE, EACH, BATCHING),
)
