"""The page's arithmetic, run in the browser, against other implementations of it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from service.histogram import Histogram
from service.metrics import SECONDS
from tests.page.browsing import visit
from tests.service.fakes import FakeEngine
from tests.service.local_service import LocalService

STRANGE = 'a "quoted", {braced} = back\\slash\nand line'
PLAIN = "plain-onnx-fp32"


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    service = LocalService(FakeEngine())
    try:
        with visit(browser, service.client.url) as page:
            yield page
    finally:
        service.stop()


def run(page: Page, module: str, call: str, value: Any) -> Any:
    return page.evaluate(
        f"async (value) => {{ const it = await import('/page/{module}.js'); return {call}; }}",
        value,
    )


def reference_quantile(q: float, bounds: list[float], counts: list[int]) -> float:
    """Linear within its bucket: numpy's interpolation of the cumulative counts, turned round."""
    cumulative = np.cumsum(counts)
    rank = q * cumulative[-1]
    bucket = int(np.searchsorted(cumulative, rank))
    low, before = (bounds[bucket - 1], cumulative[bucket - 1]) if bucket else (0.0, 0)
    return float(np.interp(rank, [before, cumulative[bucket]], [low, bounds[bucket]]))


def test_percentiles_are_those_of_an_independent_interpolation(page: Page) -> None:
    generator = np.random.default_rng()
    cases = []
    for _ in range(200):
        counts = generator.poisson(generator.choice([0.3, 5, 400]), len(SECONDS)).tolist()
        counts[int(generator.integers(len(counts)))] += 1
        q = float(generator.choice([0.5, 0.9, 0.99, generator.uniform(0.001, 1)]))
        cases.append((q, list(SECONDS), counts))
    cumulative = [[q, bounds, np.cumsum(counts).tolist()] for q, bounds, counts in cases]
    found = run(page, "history", "value.map((each) => it.quantile(...each))", cumulative)
    assert found == pytest.approx([reference_quantile(*case) for case in cases], rel=1e-9)


def test_percentiles_without_an_answer_are_said_to_be_none(page: Page) -> None:
    call = "value.map((counts) => String(it.quantile(0.5, [1, Infinity], counts)))"
    assert run(page, "history", call, [[0, 0], [0, 3]]) == ["NaN", "Infinity"]


def test_metrics_are_read_as_the_client_wrote_them(page: Page) -> None:
    """Strange labels and all; protocols are added up, what was not answered is not timed."""
    registry = CollectorRegistry()
    labels = ("model", "protocol", "outcome")
    times = Histogram("stride_request_seconds", "t", labels, bounds=SECONDS, registry=registry)
    requests = Counter("stride_requests", "n", ("model", "outcome"), registry=registry)
    depth = Gauge("stride_queue_depth", "d", ("model",), registry=registry)
    depth.labels(PLAIN).set(7)
    generator = np.random.default_rng()
    seconds = generator.lognormal(-5, 2, 500)
    for number, value in enumerate(seconds):
        model = (PLAIN, STRANGE)[number % 2]
        times.observe(float(value), model, ("v1", "v2")[number % 3 == 0], "ok")
        times.observe(float(value), model, "v1", "error")
        requests.labels(model, "ok").inc()
        requests.labels(model, ("error", "rejected")[number % 5 == 0]).inc()
    text = generate_latest(registry).decode()
    found = run(page, "exposition", "Object.fromEntries(it.figuresByModel(value))", text)
    assert set(found) == {PLAIN, STRANGE}
    for place, model in enumerate((PLAIN, STRANGE)):
        own = seconds[place::2]
        expected = [int((own <= bound).sum()) for bound in (*SECONDS, np.inf)]
        assert found[model]["counts"] == expected
        assert found[model]["bounds"][:-1] == list(SECONDS)
        assert found[model]["refused"] == len(own)
    assert [found[model]["waiting"] for model in (PLAIN, STRANGE)] == [7, 0]


def test_history_takes_differences_over_the_window(page: Page) -> None:
    """Ten scrapes 2 s apart: the model answers 10 requests a second, each within 1 s."""
    call = """(() => {
        const history = new it.History();
        const at = (n) => new Map([["m", {bounds: [1, 2, Infinity], waiting: 3,
            counts: [20 * n, 20 * n, 20 * n], refused: 4 * n}]]);
        const none = history.recent("m", 10);
        for (let n = 5; n < 15; n += 1) history.add(2 * n, at(n));
        const recent = history.recent("m", 8);
        const rates = history.rates("m", 8);
        history.add(40, at(1));  // counters that fall: another service
        return [none, recent, rates, history.recent("m", 8), history.recent("other", 8)];
    })()"""
    none, recent, rates, anew, other = run(page, "history", call, None)
    assert none is anew is other is None
    assert recent["seconds"] in {8, 10}
    assert recent["answered"] == 10 * recent["seconds"]
    assert (recent["rate"], recent["refused"], recent["waiting"]) == (10, 2, 3)
    assert recent["p50"] == pytest.approx(0.5)
    assert set(rates) == {10}


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("it.milliseconds(0.0000449)", "0.045 ms"), ("it.milliseconds(0.0123456)", "12.3 ms"),
        ("it.milliseconds(1.5)", "1500 ms"), ("it.duration(2.5)", "2.50 s"),
        ("it.percent(0.98765)", "98.8 %"), ("it.size(1000)", "1000 bytes"),
        ("it.size(16777216)", "16 MiB"), ("it.size(1600000)", "1.5 MiB"),
        ("it.counted(1, 'model')", "1 model"), ("it.counted(0, 'model')", "0 models"),
    ],
)  # fmt: skip
def test_figures_are_short(page: Page, call: str, told: str) -> None:
    assert run(page, "format", call, None) == told
