"""Writes the dashboards as Grafana reads them: python -m monitoring.dashboards.generate"""

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.dashboards.compare import COMPARE
from monitoring.dashboards.latency import LATENCY_DASHBOARD
from monitoring.dashboards.load_test import LOAD_TEST
from monitoring.dashboards.machine import MACHINE
from monitoring.dashboards.overview import OVERVIEW
from monitoring.dashboards.panel import Dashboard
from monitoring.dashboards.sdk import to_grafana

DASHBOARDS = (OVERVIEW, LATENCY_DASHBOARD, COMPARE, LOAD_TEST, MACHINE)
FOLDER = Path(__file__).parents[1] / "grafana" / "dashboards"


def as_json(dashboard: Dashboard) -> str:
    """The file's text."""
    return JSONEncoder(sort_keys=True, indent=1).encode(to_grafana(dashboard)) + "\n"


def main() -> None:
    for dashboard in DASHBOARDS:
        (FOLDER / f"{dashboard.slug}.json").write_text(as_json(dashboard), encoding="utf-8")


if __name__ == "__main__":
    main()
