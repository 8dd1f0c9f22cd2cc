"""Configuration, rules and alerts, as promtool judges them, and that nothing lacks a case."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring.needs import needs_prometheus

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "monitoring" / "prometheus"
CASES = sorted((FOLDER / "tests").glob("*.yml"))
PAGE = ROOT / "docs" / "monitoring.md"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules(name: str) -> list[dict[str, Any]]:
    return [rule for group in read(FOLDER / name)["groups"] for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules("alerts.yml")}


def promtool(*arguments: str) -> str:
    done = subprocess.run(
        ["promtool", *arguments],
        cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_prometheus
def test_configuration_and_rules_are_valid() -> None:
    told = promtool("check", "config", "prometheus.yml")

    assert f"SUCCESS: {len(rules('rules.yml'))} rules found" in told
    assert f"SUCCESS: {len(ALERTS)} rules found" in told
    assert "WARNING" not in told


@needs_prometheus
def test_rules_and_alerts_do_what_their_cases_say() -> None:
    told = promtool("test", "rules", *(str(path.relative_to(FOLDER)) for path in CASES))

    assert told.count("SUCCESS") == len(CASES)


def test_objectives_are_asked_alike_over_all_windows() -> None:
    asked: dict[str, set[str]] = {}
    for rule in rules("rules.yml"):
        if rule["record"].startswith("model:stride_bad:ratio_"):
            window = rule["record"].removeprefix("model:stride_bad:ratio_")
            expression = rule["expr"].replace(f"[{window}]", "[WINDOW]")
            asked.setdefault(rule["labels"]["slo"], set()).add(expression)

    assert asked.keys() == {"availability", "latency"}
    assert [len(each) for each in asked.values()] == [1, 1]


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_has_a_case_where_it_fires_and_one_where_it_is_silent(alert: str) -> None:
    cases = [
        case["exp_alerts"]
        for path in CASES
        for test in read(path)["tests"]
        for case in test.get("alert_rule_test", ())
        if case["alertname"] == alert
    ]

    assert any(cases), "no case where it fires"
    assert not all(cases), "no case where it is silent"


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_says_what_it_means_and_what_to_do(alert: str) -> None:
    rule = ALERTS[alert]

    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert ROOT / page == PAGE
    text = PAGE.read_text(encoding="utf-8")
    headings = {heading.lower() for heading in re.findall(r"(?m)^#+ (\w+)$", text)}
    assert anchor in headings


def test_page_names_what_is_recorded() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for record in {rule["record"] for rule in rules("rules.yml")}:
        name = re.sub(r"_(1m|5m|30m|1h|2h|6h|1d|3d)$", "", record)
        assert f"`{name}" in text, record
