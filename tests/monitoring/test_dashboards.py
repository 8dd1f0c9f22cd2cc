"""The committed dashboards: as the code makes them, complete, and of metrics that exist."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from measuring.gpu import GpuReading
from monitoring.dashboards.generate import DASHBOARDS, FOLDER, as_json
from monitoring.dashboards.panel import Dashboard
from monitoring.queries import dashboards, panels, queries
from service.frontends.census import Census
from service.gpu_metrics import render_gpus
from service.metrics import STAGES, Metrics
from service.statistics import Statistics
from service.triton_metrics import render
from tests.monitoring.test_rules import rules

ROOT = Path(__file__).parents[2]
GPU = GpuReading("GPU-1", 0.5, 1.0, 1.0, 1.0, 1, 1, 40.0, {"sm": 1e9}, 0)
METRIC = re.compile(r"(?<![\w:])((?:stride|nv|process)_\w+)(?![\w:])")
RECORDED = re.compile(r"\w+:\w+(?::\w+)?")
PANELS = [(name, panel) for name in dashboards() for panel in panels(name)]


def named(panel: tuple[str, dict[str, Any]]) -> str:
    return f"{panel[0]}: {panel[1]['title']}"


def expressions() -> dict[str, str]:
    """Of all panels and variables of all dashboards, and of all rules, by where they are."""
    found = {
        f"{name}: {query.panel}: {query.legend}": query.expression
        for name in dashboards()
        for query in queries(name)
    }
    for name in dashboards():
        text = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        for variable in text["templating"]["list"]:
            if variable["type"] == "query":
                found[f"{name}: ${variable['name']}"] = variable["query"]
    for file in ("rules.yml", "alerts.yml"):
        for number, rule in enumerate(rules(file)):
            found[f"{file}: {number}"] = rule["expr"]
    return found


def families() -> dict[str, set[str]]:
    """Metrics of the code, with the names of their series."""
    metrics = Metrics(CollectorRegistry())
    metrics.gpus([GPU])
    suffixes = {"counter": ("_total", "_created"), "histogram": ("_bucket", "_sum", "_count")}
    found = {
        family.name: {family.name + suffix for suffix in suffixes.get(family.type, ("",))}
        for family in (*metrics.registry.collect(), *Census(["engine"]).collect())
    }
    text = render({"m": Statistics()}, {"m": 0}) + render_gpus([GPU])
    return found | {name: {name} for name in re.findall(r"(?m)^# TYPE (\S+)", text)}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.slug)
def test_committed_dashboard_is_what_the_code_makes(dashboard: Dashboard) -> None:
    committed = (FOLDER / f"{dashboard.slug}.json").read_text(encoding="utf-8")

    assert committed == as_json(dashboard), "run: python -m monitoring.dashboards.generate"


def test_every_committed_dashboard_has_code() -> None:
    assert dashboards() == sorted(dashboard.slug for dashboard in DASHBOARDS)


@pytest.mark.parametrize("named_panel", PANELS, ids=named)
def test_panel_has_a_unit_thresholds_and_a_description(
    named_panel: tuple[str, dict[str, Any]],
) -> None:
    panel = named_panel[1]
    defaults = panel["fieldConfig"]["defaults"]

    assert defaults["unit"]
    assert defaults["thresholds"]["steps"]
    assert len(panel["description"]) > 10
    assert panel["type"] == "annolist" or panel["targets"]


def test_dashboards_fit_their_grid_and_number_their_panels() -> None:
    for name in dashboards():
        text = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        places = [panel["gridPos"] for panel in text["panels"]]
        assert all(place["x"] + place["w"] <= 24 for place in places), name
        corners = {(place["x"], place["y"]) for place in places}
        assert len(corners) == len(places), f"{name}: panels on top of each other"
        assert len({panel["id"] for panel in text["panels"]}) == len(places)


def test_tables_ask_for_the_same_labels_in_all_columns() -> None:
    for name, panel in PANELS:
        if panel["type"] in ("table", "barchart"):
            for target in panel["targets"]:
                assert re.match(r"\w+ by \(model\b", target["expr"]), f"{name}: {target['expr']}"


def test_load_tests_are_marked_on_every_dashboard() -> None:
    for name in dashboards():
        text = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        targets = [each["target"]["tags"] for each in text["annotations"]["list"]]
        assert targets == [["stride-loadtest"]]


def test_all_services_of_a_machine_are_those_of_stride() -> None:
    """`process_*` is told by every program that a Prometheus scrapes, itself included."""
    text = json.loads((FOLDER / "machine.json").read_text(encoding="utf-8"))
    chosen = next(each for each in text["templating"]["list"] if each["name"] == "instance")

    assert chosen["includeAll"]
    assert not chosen.get("allValue")
    assert chosen["query"] == "label_values(stride_open_connections, instance)"


def test_every_metric_of_a_dashboard_or_rule_is_in_the_code() -> None:
    known = set().union(*families().values())
    recorded = {rule["record"] for rule in rules("rules.yml")}
    for place, expression in expressions().items():
        assert set(METRIC.findall(expression)) <= known, place
        assert set(RECORDED.findall(re.sub(r'"[^"]*"', "", expression))) <= recorded, place


def test_every_metric_of_the_code_is_in_a_dashboard() -> None:
    shown = set()
    for name in dashboards():
        for query in queries(name):
            shown |= set(METRIC.findall(query.expression))
    through_rules = {
        metric
        for rule in rules("rules.yml")
        if any(rule["record"] in text for text in expressions().values())
        for metric in METRIC.findall(rule["expr"])
    }
    missing = [name for name, series in families().items() if not series & (shown | through_rules)]
    assert missing == []


def test_everything_recorded_is_read() -> None:
    everywhere = " ".join(expressions().values())
    for rule in rules("rules.yml"):
        assert re.search(rf"(?<![\w:]){rule['record']}(?![\w:])", everywhere), rule["record"]


def test_waterfall_has_the_stages_of_the_service_in_their_order() -> None:
    shown = [query.legend for query in queries("latency") if query.panel == "Waterfall"]

    assert tuple(shown) == STAGES


def test_provisioning_finds_prometheus_and_the_dashboards() -> None:
    folder = ROOT / "monitoring" / "grafana" / "provisioning"
    source = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())
    provider = yaml.safe_load((folder / "dashboards" / "stride.yml").read_text())
    scrape = yaml.safe_load((ROOT / "monitoring" / "prometheus" / "prometheus.yml").read_text())

    found = source["datasources"][0]
    assert found["isDefault"]
    assert found["jsonData"]["timeInterval"] == scrape["global"]["scrape_interval"]
    assert provider["providers"][0]["type"] == "file"
