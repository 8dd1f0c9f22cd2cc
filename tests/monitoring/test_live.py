"""Every query of every dashboard, asked of a real Prometheus that scrapes the real service under
load; and the percentiles it computes beside those that the load generator saw."""

import math
import re
import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from loadtest.load import Closed, Load
from loadtest.outcome import Outcome
from loadtest.prepared import prepare
from loadtest.run import run_load
from loadtest.target import Target
from monitoring.prometheus_server import PrometheusServer, Series, wait_until
from monitoring.queries import PanelQuery, dashboards, queries
from service.metrics import SECONDS, STAGES
from tests.monitoring.needs import needs_prometheus
from tests.monitoring.test_dashboards import families
from tests.monitoring.test_rules import rules
from tests.service.client import Client, png
from tests.service.process import ServiceProcess
from tests.tiny import write_tiny

pytestmark = needs_prometheus
ID, OTHER = "tiny-onnx-fp32", "zother-onnx-fp32"
INTERVAL = 0.5
"""Of scrapes, which may take as long: where the machine is busy some fail, and until the next one
there is nothing new."""
ON_A_GPU = "GPU "
"""How the panels begin that have nothing to show here."""
PERCENTILES = {"p50": 50, "p95": 95, "p99": 99}


@dataclass(frozen=True)
class Watched:
    """A service after a load of one model, and the Prometheus that watched; seconds since 1970."""

    prometheus: PrometheusServer
    outcome: Outcome
    start: float
    end: float

    client: Client
    answered: int  # by now, other loads included

    @property
    def window(self) -> str:
        """Of the load, for a range in a query."""
        return f"{round((self.end - self.start) * 1e3)}ms"

    def over_the_load(self, query: PanelQuery) -> float:
        """What a panel tells of all of it."""
        expression = query.filled({"model": ID, "__rate_interval": self.window})
        found = self.prometheus.query_range(expression, start=self.end, end=self.end, step=1)
        return found[0].last

    def ask(self, query: PanelQuery, values: dict[str, str]) -> list[Series]:
        expression = query.filled(values)
        if query.instant:
            return self.prometheus.query(expression)
        return self.prometheus.query_range(expression, start=self.start, end=self.end, step=0.5)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    repository = tmp_path_factory.mktemp("artifacts")
    write_tiny(repository)
    write_tiny(repository, "zother", seed=1)
    service = ServiceProcess(
        repository, "--drain-delay", "0", "--decode-threads", "2",
        "--model", f"{ID}:instances=2,threads=1,max_batch=4", "--model", OTHER,
    ).wait_until_ready()  # fmt: skip
    with PrometheusServer(service.url.removeprefix("http://"), interval=INTERVAL) as prometheus:
        assert wait_until(lambda: "up" in prometheus.targets().values()), prometheus.targets()
        yield under_load(prometheus, service.client)
    assert service.stop() == 0, service.text


def under_load(prometheus: PrometheusServer, client: Client, *, before: int = 0) -> Watched:
    """A few pictures to the other model, then two clients for seconds with pictures that take a
    while to read, so that the service and not the generator takes the time."""
    for seed in range(30):
        assert client.post(f"/v1/classify?model={OTHER}", png(seed)).status == 200
    target = Target(client.url, ID, protocol="v1", body="png", side=300)
    prepared = prepare(target)
    start = time.time()
    outcome = run_load(target, Load(Closed(2), seconds=4.0, warm_up=0.0), prepared=prepared)
    answered = before + outcome.ok
    counted = f'last_over_time(stride_requests_total{{model="{ID}", outcome="ok"}}[1m])'
    assert wait_until(lambda: any(s.last >= answered for s in prometheus.query(counted)))
    return Watched(prometheus, outcome, start, time.time(), client, answered)


def choices(query: PanelQuery) -> list[dict[str, str]]:
    """What can be chosen above the dashboard: one model, two or all, and each stage."""
    given = {
        "__rate_interval": "30s", "model": ID, "model_a": ID, "model_b": OTHER, "instance": ".*",
    }  # fmt: skip
    if "stage" in query.variables:
        return [given | {"stage": stage} for stage in STAGES]
    if 'model=~"$model"' in query.expression:
        return [given, given | {"model": f"{ID}|{OTHER}"}, given | {"model": ".*"}]
    return [given]


@pytest.mark.parametrize("dashboard", dashboards())
def test_every_query_answers_with_figures(watched: Watched, dashboard: str) -> None:
    for query in queries(dashboard):
        for values in choices(query):
            if query.panel.startswith(ON_A_GPU):
                watched.ask(query, values)  # raises for one that is refused
                continue
            assert wait_until(partial(answers, watched, query, values), seconds=10), (
                f"{query.panel}: {query.legend}: {query.filled(values)} answers"
                f" {watched.ask(query, values)}"
            )


def answers(watched: Watched, query: PanelQuery, values: dict[str, str]) -> bool:
    """Whether there is a figure."""
    found = watched.ask(query, values)
    return any(math.isfinite(value) for series in found for _, value in series.points)


def test_all_rules_are_worked_out(watched: Watched) -> None:
    recorded = {rule["record"] for rule in rules("rules.yml")}

    assert wait_until(lambda: recorded <= watched.prometheus.metric_names())


def test_prometheus_scrapes_what_the_code_tells(watched: Watched) -> None:
    of_ours = ("stride_", "nv_", "process_")
    scraped = {
        series.labels["__name__"]
        for series in watched.prometheus.query('last_over_time({job="stride"}[1m])')
        if series.labels["__name__"].startswith(of_ours)
    }
    # Here is no GPU, nothing is traced, and the service is one process.
    absent = re.compile(r"_gpu_|nv_energy_consumption|stride_traces|stride_process_")
    told = {name: series for name, series in families().items() if not absent.search(name)}

    assert scraped <= set().union(*told.values())
    assert [name for name, series in told.items() if not series & scraped] == []


@pytest.mark.parametrize("name", PERCENTILES)
def test_percentiles_are_within_a_bucket_of_what_the_generator_saw(
    watched: Watched, name: str
) -> None:
    query = next(
        query for query in queries("latency")
        if (query.panel, query.legend) == ("Percentiles", name)
    )  # fmt: skip
    for _ in range(3):  # a generator that is held up on a busy machine sees what no service does
        computed = watched.over_the_load(query)
        assert watched.outcome.latency is not None
        assert watched.outcome.ok > 50
        seen = watched.outcome.latency.histogram.percentile(PERCENTILES[name])
        if abs(bisect_left(SECONDS, computed) - bisect_left(SECONDS, seen)) <= 1:
            return
        watched = under_load(watched.prometheus, watched.client, before=watched.answered)
    pytest.fail(f"by Prometheus {computed}, by the generator {seen}")


def test_goodput_is_what_the_generator_counted(watched: Watched) -> None:
    query = next(query for query in queries("load-test") if "answered" in query.legend)
    answered = watched.over_the_load(query) * (watched.end - watched.start)

    assert answered == pytest.approx(watched.outcome.ok, rel=0.15)  # rates are extrapolated
