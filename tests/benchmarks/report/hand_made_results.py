"""A folder of results made by hand: three networks on two runtimes, and what else a page has."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.recommend_requirements import Requirements
from benchmarks.report.compose import Asked, Report, compose
from benchmarks.report.results import read_results
from benchmarks.report.waterfall import around, waterfalls
from loadtest.records import load_record
from measuring.fit import fit_batch_cost
from measuring.latencies import latencies
from measuring.record import Measurement, Scalar, write_measurements
from tests.benchmarks.hand_made import MACHINE, STARTED, steady, sweep
from tests.benchmarks.hand_made import invalid as stamped
from tests.loadtest.made_points import MODEL, RUN, point

NETWORKS = {"shufflenet_v2_x1_0": (0.002, 0.69), "mobilenet_v2": (0.004, 0.72)}
SIZES = (1, 4)
HOSTILE = "<script>alert('x')</script>|`net`$a_b$"
"""A name that is markup in HTML, in Markdown and in a plot."""


def bench_run(
    run: str = "20260131-120000-aaaa",
    *,
    started: str = STARTED,
    slower: float = 1.0,
    networks: Mapping[str, tuple[float, float]] = NETWORKS,
) -> list[Measurement]:
    """Records of `bench` and `fit`; one of them marked INVALID."""
    records: list[Measurement] = []
    for network, (per_image, accuracy) in networks.items():
        for runtime, factor in (("openvino", 1.0), ("onnxruntime", 1.3)):
            records += sweep(
                network,
                t0=0.0005 * factor * slower,
                per_image=per_image * factor * slower,
                sizes=SIZES,
                runtime=runtime,
                accuracy=accuracy,
                accuracy_source="measured on 50,000 pictures of photos/",
                run=run,
                started=started,
            )
    records[-1] = stamped(records[-1])
    return [*records, *_fits(records)]


def _fits(records: Sequence[Measurement]) -> list[Measurement]:
    fits = []
    for first in range(0, len(records), len(SIZES)):
        group = records[first : first + len(SIZES)]
        sizes = [int(str(record.settings["batch"])) for record in group]
        seconds = [record.latencies.summary["mean"] for record in group]
        cost = fit_batch_cost(sizes, seconds)
        kept = ("run", "artifact", "network", "precision", "runtime", "device", "threads")
        settings: dict[str, Scalar] = {
            **{key: group[0].settings[key] for key in (*kept, "instances")},
            "t0": cost.t0,
            "per_image": cost.per_image,
            "residual": cost.residual,
            "batch_sizes": ",".join(map(str, SIZES)),
            "valid": True,
            "reasons": "",
        }
        fits.append(Measurement("fit", settings, latencies(seconds), MACHINE, group[0].started))
    return fits


def stages(model: str = "shufflenet_v2_x1_0-onnx-int8") -> list[Measurement]:
    """A request of 5 ms: 1 ms receive and so on, half of it inference."""
    times = {
        "receive": 0.0002,
        "decode": 0.0010,
        "resize": 0.0008,
        "queue": 0.0003,
        "inference": 0.0025,
        "respond": 0.0002,
    }
    return [
        Measurement(
            "stage", {"model": model, "stage": name}, latencies(steady(seconds)), MACHINE, STARTED
        )
        for name, seconds in times.items()
    ]


def loadgen() -> Measurement:
    """One scenario."""
    settings: dict[str, Scalar] = {
        "run": "20260131-130000-cccc",
        "artifact": "mobilenet_v2-onnx-int8",
        "runtime": "openvino",
        "threads": 1,
        "instances": 1,
        "scenario": "SingleStream",
        "metric": "p90 seconds of a query",
        "value": 0.0042,
        "scaled": True,
        "valid": True,
    }
    return Measurement("loadgen", settings, latencies(steady(0.004)), MACHINE, STARTED)


def serving() -> list[Measurement]:
    """A round of the engines alone, and one over HTTP with 90 % of that."""
    return [
        Measurement(
            "serving",
            {
                "network": "mobilenet_v2",
                "kind": "jpeg",
                "way": way,
                "connections": 16,
                "requests": requests,
                "seconds": 2.0,
                "round": 0,
            },
            latencies(steady(0.02)),
            MACHINE,
            STARTED,
        )
        for way, requests in (("engines alone", 1000), ("stride", 900))
    ]


def load_tests(model: str = "shufflenet_v2_x1_0-onnx-int8") -> list[Measurement]:
    """Two batch sizes under the same load, as `stride loadtest` writes them, the second with a
    broken SLO."""
    made = [
        point(model=replace(MODEL, id=model), batch=batch, slo=slo)
        for batch, slo in ((1, "p99=1s"), (8, "p99=1ms"))
    ]
    return [record for it in made if (record := load_record(it, RUN)) is not None]


def write_results(directory: Path, *, name: str | None = None) -> None:
    """A newest run, an earlier and faster one, and everything else that a page may show; `name`:
    one more network, whatever it is called."""
    networks = NETWORKS if name is None else {**NETWORKS, name: (0.003, 0.7)}
    earlier = bench_run(
        "20260130-120000-bbbb", started="2026-01-30T12:00:00+00:00", slower=0.8, networks=networks
    )
    write_measurements(directory / "bench" / "a.jsonl", bench_run(networks=networks))
    write_measurements(directory / "bench" / "b.jsonl", earlier)
    write_measurements(directory / "service.jsonl", [*stages(), loadgen(), *serving()])
    tested = load_tests() if name is None else load_tests(name)
    write_measurements(directory / "loadtest" / "a.jsonl", tested)


def make_report(
    directory: Path,
    requirements: Requirements | None = None,
    *,
    against: str | None = None,
    invalid: bool = False,
) -> Report:
    """As `stride report` does."""
    results = read_results(directory)
    found = waterfalls(results.records("stage"), directory)
    asked = requirements or Requirements(slo=0.030, rate=50.0)
    return compose(
        results,
        Asked(
            requirements=replace(asked, around=around(found)),
            published={},
            command="stride report --slo p99=30ms --rate 50",
            version="0.1.0",
            made="2026-02-01T09:30:00+00:00",
            against=against,
            invalid=invalid,
        ),
        found,
        MACHINE,
    )
