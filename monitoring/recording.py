"""Drives a service with `stride loadtest` while a Prometheus watches, and keeps what the dashboards
then show, beside what the load tests reported:

    python -m monitoring.recording --model ID --model ID --overload 600 results/monitoring.json

`python -m benchmarks.dashboard_picture` draws it.
"""

import json
import math
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from measuring.errors import CheckError
from measuring.machine import fingerprint
from measuring.record import now
from monitoring.prometheus_server import PrometheusServer, Series, wait_until
from monitoring.queries import PanelQuery, queries

STRIDE = str(Path(sys.executable).with_name("stride"))
DASHBOARDS = ("overview", "latency")
INTERVAL = 1.0  # seconds between scrapes, and between points
DEADLINE = 0.5  # seconds that a request has, so that a load beyond the limit is refused, not queued
_WINDOW = "5s"
_READY = "ready models="
_LISTENING = re.compile(r"listening url=(\S+)")
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@click.command()
@click.option("--repository", type=click.Path(path_type=Path), default=Path("artifacts"))
@click.option("--model", "models", multiple=True, required=True, help="Driven in this order.")
@click.option("--seconds", default=20.0, help="Of each load.")
@click.option("--overload", default=0.0, help="Requests per second of one more load of the last.")
@click.argument("target", type=click.Path(path_type=Path))
def main(
    repository: Path, models: Sequence[str], seconds: float, overload: float, target: Path
) -> None:
    """Drive each model with four clients that send JPEG files, then the last one beyond what it
    can, and write what the dashboards show of it."""
    loads = [(model, ["--concurrency", "4"]) for model in models]
    if overload:
        loads.append((models[-1], ["--rate", f"{overload:g}"]))
    with (
        _service(repository, models) as url,
        PrometheusServer(url.removeprefix("http://"), interval=INTERVAL) as prometheus,
    ):
        wait_until(lambda: "up" in prometheus.targets().values())
        start = time.time()
        runs = [_drive(url, prometheus, model, words, seconds) for model, words in loads]
        time.sleep(2 * INTERVAL)  # what came last is scraped and recorded
        panels = _shown(prometheus, start, time.time(), models)
    here = fingerprint()
    found = {
        "moment": now(),
        "machine": {"processor": here.processor.model, "cores": here.cores},
        "start": start,
        "runs": runs,
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n  ".join(json.dumps(panel) for panel in panels)
    head = json.dumps(found, indent=1).removesuffix("\n}")
    target.write_text(f'{head},\n "panels": [\n  {lines}\n ]\n}}\n', encoding="utf-8")
    for run in runs:
        click.echo(f"{run['model']} {' '.join(run['words'])}: {run['reported']}")
        click.echo(f"    by Prometheus: {run['computed']}")


@contextmanager
def _service(repository: Path, models: Sequence[str]) -> Iterator[str]:
    words = [STRIDE, "serve", "--repository", str(repository), "--port", "0"]
    words += ["--timeout", f"{DEADLINE:g}"]
    words += [word for model in models for word in ("--model", model)]
    # Into a file: a pipe that nobody reads fills up, and the service would wait to write its log.
    with tempfile.NamedTemporaryFile("w+", suffix=".log") as log:
        process = subprocess.Popen(words, stderr=log)  # noqa: S603
        try:
            if not wait_until(lambda: _READY in _text(log.name) or process.poll() is not None):
                raise CheckError(f"stride serve is not ready:\n{_text(log.name)[-2000:]}")
            found = _LISTENING.search(_text(log.name))
            if found is None:
                raise CheckError(f"stride serve has ended:\n{_text(log.name)[-2000:]}")
            yield found[1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def _drive(
    url: str, prometheus: PrometheusServer, model: str, words: Sequence[str], seconds: float
) -> dict[str, Any]:
    """One `stride loadtest`: when it ran, what it reported, and what Prometheus makes of it."""
    command = [STRIDE, "loadtest", "--url", url, "--model", model, "--body", "jpeg", "--json"]
    command += ["--batch-sizes", "1", "--seconds", f"{seconds:g}", "--warm-up", "0", *words]
    start = time.time()
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if not done.stdout:
        raise CheckError(f"{' '.join(command)} failed:\n{done.stderr}")
    end = time.time()
    time.sleep(2 * INTERVAL)
    point = json.loads(done.stdout)["points"][0]
    latency: Mapping[str, float | None] = point["latency"]
    window = f"{round((time.time() - start) * 1e3)}ms"
    buckets = f'stride_request_seconds_bucket{{model="{model}", outcome="ok"}}[{window}]'
    computed = {
        name: prometheus.query(f"histogram_quantile({share}, sum by (le) (rate({buckets})))")
        for name, share in _QUANTILES.items()
    }
    return {
        "model": model,
        "words": list(words),
        "start": start,
        "end": end,
        "reported": {name: latency[name] for name in _QUANTILES},
        "errors": point["errors"],
        "computed": {name: _rounded(series[0].last) for name, series in computed.items()},
    }


def _shown(
    prometheus: PrometheusServer, start: float, end: float, models: Sequence[str]
) -> list[dict[str, Any]]:
    """Each query of both dashboards, for all models, or for the last one where one is chosen."""
    found = []
    for dashboard in DASHBOARDS:
        everything = ".*" if dashboard == "overview" else models[-1]
        values = {"__rate_interval": _WINDOW, "model": everything, "stage": "inference"}
        for query in queries(dashboard):
            if query.kind == "heatmap" and query.panel != "Requests by time":
                continue  # thousands of figures
            expression = query.filled(values)
            series = prometheus.query_range(expression, start=start, end=end, step=INTERVAL)
            found.append(_kept(query, series, start))
    return found


def _kept(query: PanelQuery, series: Sequence[Series], start: float) -> dict[str, Any]:
    """Times from the start on; what is not a number is left out, as Grafana does."""
    return {
        "dashboard": query.dashboard,
        "panel": query.panel,
        "kind": query.kind,
        "unit": query.unit,
        "legend": query.legend,
        "series": [
            {
                "labels": {name: it for name, it in each.labels.items() if name != "__name__"},
                "points": [
                    (round(at - start, 1), _rounded(value))
                    for at, value in each.points
                    if math.isfinite(value)
                ],
            }
            for each in series
        ],
    }


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main()
