"""`stride serve`: artifacts behind HTTP."""

import math
from pathlib import Path
from typing import Any, ClassVar

import click

from commands import options
from commands.config_file import read_config
from service.logs import FORMATS
from service.model_option import parse_model
from service.settings import Limits, Settings
from service.trace_option import parse_endpoint, trace_settings

_LIMITS = Limits()


class Finite(click.FloatRange):
    """Neither infinite nor no number, which a range alone lets pass; `what` it is, for errors."""

    what: ClassVar[str]

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Raises click.BadParameter."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not finite, expected {self.what}.", param, ctx)
        return number


class Seconds(Finite):
    """A duration."""

    what = "seconds"


class Share(Finite):
    """Of a whole."""

    what = "a share"


@click.command(
    short_help="Serve artifacts over HTTP.", context_settings={"auto_envvar_prefix": "STRIDE"}
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    is_eager=True,
    callback=read_config,
    help="TOML file with any of these options as keys.",
)
@click.option(
    "--model",
    "model",
    multiple=True,
    type=parse_model,
    metavar="[ALIAS=]ID[:KEY=VALUE,...]",
    help="Serve this artifact; repeat for several. KEYs: runtime, device, instances, "
    "threads, max_batch, policy (none, work-conserving, delay, slo), delay and slo (e.g. 20ms). "
    "Without --model, everything in the repository is served.",
)
@options.repository
@options.profiles
@click.option(
    "--repository-poll",
    type=Seconds(0.1),
    default=None,
    show_default="never",
    help="Seconds between two looks whether the repository has changed; SIGHUP always looks.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 takes a free one and logs it.",
)
@click.option(
    "--queue-capacity",
    type=click.IntRange(1),
    default=_LIMITS.queue_capacity,
    show_default=True,
    help="Images that may wait per model before 503.",
)
@click.option(
    "--max-requests",
    type=click.IntRange(1),
    default=_LIMITS.requests,
    show_default=True,
    help="Inference requests in progress at once before 503.",
)
@click.option(
    "--max-connections",
    type=click.IntRange(1),
    default=_LIMITS.connections,
    show_default=True,
    help="Connections open at once before 503, idle ones too.",
)
@click.option(
    "--max-body-bytes",
    type=click.IntRange(1),
    default=_LIMITS.body_bytes,
    show_default=True,
    help="Bytes of one request body before 413.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=_LIMITS.pixels,
    show_default=True,
    help="Pixels an image header may declare before 413.",
)
@click.option(
    "--timeout",
    type=Seconds(0.001),
    default=_LIMITS.timeout,
    show_default=True,
    help="Seconds a request may take; X-Request-Timeout can ask less.",
)
@click.option(
    "--drain-delay",
    type=Seconds(0),
    default=_LIMITS.drain_delay,
    show_default=True,
    help="Seconds of normal service after SIGTERM, already unready.",
)
@click.option(
    "--grace",
    type=Seconds(0),
    default=_LIMITS.grace,
    show_default=True,
    help="Seconds after that for admitted requests to finish.",
)
@click.option(
    "--frontends",
    type=click.IntRange(0, 64),
    default=1,
    show_default=True,
    help="Processes with HTTP and decoding before one with the engines; 0 and 1 are one process "
    "for all.",
)
@click.option(
    "--decode-threads",
    type=click.IntRange(1),
    default=None,
    show_default="cores",
    help="Threads that decode and resize.",
)
@click.option(
    "--exact-decoding",
    is_flag=True,
    help="Decode at full size and resize exactly as the weights were evaluated; slower.",
)
@click.option(
    "--api-keys",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    show_default="everybody may come",
    help="TOML file of the API keys that let in, each [name] with key or sha256, and rate.",
)
@click.option(
    "--model-control",
    is_flag=True,
    help="Let who has the admin token load and unload models over HTTP; the token is in "
    "--admin-token-file or STRIDE_ADMIN_TOKEN.",
)
@click.option(
    "--admin-token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    show_default="STRIDE_ADMIN_TOKEN",
    help="File with the admin token, 16 characters or more.",
)
@click.option(
    "--access-log",
    is_flag=True,
    help="Log every request, not only 5xx; 503s are counted, not logged.",
)
@click.option(
    "--log-format",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="Lines with key=value pairs, or one JSON object on each.",
)
@click.option(
    "--trace-endpoint",
    type=parse_endpoint,
    default=None,
    show_default="no traces",
    metavar="URL",
    help="Send traces there, by OTLP over HTTP; /v1/traces is added where the URL has no path.",
)
@click.option(
    "--trace-ratio",
    type=Share(0, 1),
    default=None,
    show_default="1",
    metavar="SHARE",
    help="Share of requests traced, 0 to 1; one with a traceparent of its own follows that.",
)
def command(**values: Any) -> None:
    """Serve artifacts over HTTP, with every request's latency measured stage by stage.

    POST an image to /v1/classify; /docs describes every address, /metrics is for Prometheus.
    Every option also reads STRIDE_<OPTION> from the environment. A flag beats the environment,
    which beats --config. SIGTERM finishes what was admitted; SIGHUP looks through the repository
    and the API keys again and switches over to what has changed. Exit code 1 if an engine hung and
    was left behind after the grace.

    \b
    stride serve
    stride serve --model small=fasternet_t0-onnx-fp32:instances=2,threads=1 --port 9000
    stride serve --model fasternet_t0:policy=slo,slo=20ms
    curl --data-binary @photo.jpg 'localhost:8000/v1/classify?k=3'
    """
    from service.logs import configure

    if values["frontends"] > 1:
        from service.frontends.supervisor import serve
    else:
        from service.server import serve

    tracing = trace_settings(values["trace_endpoint"], values["trace_ratio"])
    configure(access=values["access_log"], form=values["log_format"])
    serve(
        Settings(
            repository=values["repository"],
            profiles=values["profiles"],
            models=values["model"],
            repository_poll=values["repository_poll"],
            host=values["host"],
            port=values["port"],
            frontends=values["frontends"],
            decode_threads=values["decode_threads"],
            exact_decoding=values["exact_decoding"],
            api_keys=values["api_keys"],
            model_control=values["model_control"],
            admin_token_file=values["admin_token_file"],
            tracing=tracing,
            limits=Limits(
                body_bytes=values["max_body_bytes"],
                pixels=values["max_pixels"],
                queue_capacity=values["queue_capacity"],
                requests=values["max_requests"],
                connections=values["max_connections"],
                timeout=values["timeout"],
                drain_delay=values["drain_delay"],
                grace=values["grace"],
            ),
        )
    )
