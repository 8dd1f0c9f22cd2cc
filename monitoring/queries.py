"""What the dashboards ask, read from the JSON that Grafana is given."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "grafana" / "dashboards"
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True)
class PanelQuery:
    """One query of one panel. `instant`: only its newest value is shown; `kind`: Grafana's type of
    the panel."""

    dashboard: str
    panel: str
    kind: str
    unit: str
    expression: str
    legend: str
    instant: bool

    @property
    def variables(self) -> set[str]:
        """Names of the variables in it, Grafana's own included."""
        return {braced or plain for braced, plain in _VARIABLE.findall(self.expression)}

    def filled(self, values: Mapping[str, str]) -> str:
        """The expression, as Grafana sends it where these values are chosen. Raises KeyError."""
        return _VARIABLE.sub(lambda found: values[found[1] or found[2]], self.expression)


def panels(dashboard: str) -> list[dict[str, Any]]:
    """All panels of a dashboard by its file's name, those in closed rows too; no headings."""
    text = (FOLDER / f"{dashboard}.json").read_text(encoding="utf-8")
    return [panel for panel in _flat(json.loads(text)["panels"]) if panel["type"] != "row"]


def queries(dashboard: str) -> list[PanelQuery]:
    """In the order of the page."""
    return [
        PanelQuery(
            dashboard=dashboard,
            panel=panel["title"],
            kind=panel["type"],
            unit=panel["fieldConfig"]["defaults"].get("unit", ""),
            expression=target["expr"],
            legend=target["legendFormat"],
            instant=target["instant"],
        )
        for panel in panels(dashboard)
        for target in panel.get("targets", ())
    ]


def dashboards() -> list[str]:
    """Names of the files, without `.json`."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def _flat(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in found:
        yield panel
        yield from _flat(panel.get("panels", []))
