"""What the documents say is what the code has: settings, metrics, addresses, commands, links."""

import json
import re
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry, generate_latest

from benchmarks import (
    crosscheck_page,
    decoding_page,
    exports_page,
    frontends_page,
    recording_page,
    rewrites_page,
    serving_page,
)
from benchmarks.pages import between_marks
from cli import COMMANDS
from commands.serve import command as serve
from measuring.gpu import GpuReading
from measuring.record import read_measurements
from service import status, v1
from service.front import Front
from service.gpu_metrics import render_gpus
from service.metrics import OUTCOMES, STAGES, Metrics
from service.statistics import Statistics
from service.triton_metrics import render
from service.v2 import repository, routes

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
METRICS = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
DOCUMENTS = (
    [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    + sorted((ROOT / "docs").rglob("*.md"))
    + sorted((ROOT / "examples").rglob("*.md"))
)
GPU = GpuReading("GPU-1", 0.5, 1.0, 1.0, 1.0, 1, 1, 40.0, {"sm": 1e9}, 0)


def test_settings_page_lists_every_setting_with_its_default() -> None:
    rows = {
        flag: cells
        for line in SETTINGS.splitlines()
        if line.startswith("| `--")
        for cells in [line.split("|")]
        for flag in re.findall(r"--[a-z-]+", cells[1])
    }
    options = {parameter.opts[0]: parameter for parameter in serve.params}
    assert set(rows) == set(options)
    for flag, parameter in options.items():
        default = parameter.default
        if isinstance(default, int | float) and not isinstance(default, bool):
            assert (f"{default:g}" if isinstance(default, float) else str(default)) in rows[flag][2]


def test_metrics_page_names_every_metric_stage_and_outcome() -> None:
    metrics = Metrics(CollectorRegistry())
    for family in metrics.registry.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        assert f"`{name}`" in METRICS, name
    for stage in STAGES:
        assert f"| {stage} |" in METRICS
    for outcome in OUTCOMES:
        assert f"| {outcome} |" in METRICS


def test_metrics_page_names_every_metric_of_tritons() -> None:
    text = render({"m": Statistics()}, {"m": 0})
    for name in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE):
        assert f"`{name}`" in METRICS, name


def test_metrics_page_names_every_metric_of_gpus() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.gpus([GPU])
    text = render_gpus([GPU]) + generate_latest(metrics.registry).decode()
    for name in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE):
        assert f"`{name}`" in METRICS, name


def test_every_address_is_listed() -> None:
    """/v2's in docs/protocol.md, where a model's name stands for it; the others in the README."""
    front = Front(*[cast(Any, None)] * 5)
    metrics = Metrics(CollectorRegistry())
    routers = (
        v1.routes(front), status.routes(front, metrics), routes.routes(front, ""),
        repository.routes(front, None),
    )  # fmt: skip
    told = {path for page in (README, PROTOCOL) for path in re.findall(r"/[\w/.{}]+", page)}
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.include_in_schema:
                path = route.path.replace("{model}", "NAME").replace("/versions/{version}", "")
                assert {path, path.replace("NAME", "{id}")} & told, route.path


def test_metrics_page_names_nothing_that_does_not_exist() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.gpus([GPU])
    known = {family.name for family in metrics.registry.collect()}
    for name in re.findall(r"`(stride_[a-z_]+)`", METRICS + README):
        assert name.removesuffix("_total") in known, name


@pytest.mark.parametrize("command", COMMANDS)
def test_readme_shows_every_command(command: str) -> None:
    assert f"stride {command}" in README or f"make {command}" in README


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_readme_table_is_the_published_record() -> None:
    record = json.loads((ROOT / "results" / "published" / "demo.json").read_text(encoding="utf-8"))
    for row in record["networks"]:
        cells = (
            row["network"],
            f"{row['top1']:.1%} of {row['requests']}",
            f"{row['p50'] * 1e3:.1f}",
            f"{row['p99'] * 1e3:.1f}",
            f"{row['images_per_second']:.0f}",
            f"{row['size'] / 1e6:.1f}",
        )
        assert f"| {' | '.join(cells)} |" in README
        assert row["top1"] >= 0.97
        assert row["failures"] == 0
    assert record["machine"]["processor"]["model"] in README
    assert record["date"] in README


def test_readme_stays_short() -> None:
    assert len(README.splitlines()) <= 200


def test_pages_of_measured_speeds_are_the_published_records() -> None:
    for made, page in (
        (rewrites_page, "docs/rewrites.md"), (exports_page, "docs/exports.md"),
        (decoding_page, "docs/decoding.md"), (serving_page, "docs/serving.md"),
        (frontends_page, "docs/frontends.md"),
        (crosscheck_page, "docs/crosscheck.md"),
        (recording_page, "docs/metrics.md"),
    ):  # fmt: skip
        text = (ROOT / page).read_text(encoding="utf-8")
        tables = made.tables(read_measurements(made.RECORDS))
        assert between_marks(text, made.PART, tables) == text
    for made in (exports_page, serving_page):
        summary = made.summary(read_measurements(made.RECORDS))
        assert between_marks(README, made.PART, summary) == README
