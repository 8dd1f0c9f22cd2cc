"""From our dashboards to Grafana's, by the library that Grafana generates from its own schema."""

from string import ascii_uppercase

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import heatmap, prometheus
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from monitoring.dashboards.kinds import KINDS, RUN_TAG, AnyPanel
from monitoring.dashboards.panel import Dashboard, Kind, Panel, Query, Row, Thresholds, Variable

TAG = "stride"
DATA = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
OWN = model.DataSourceRef(type_val="grafana", uid="-- Grafana --")


def to_grafana(dashboard: Dashboard) -> model.Dashboard:
    """The model that `JSONEncoder` of the library writes as Grafana reads it."""
    made = (
        build.Dashboard(f"Stride / {dashboard.title}")
        .uid(f"stride-{dashboard.slug}")
        .description(dashboard.description)
        .tags([TAG])
        .time("now-15m", "now")
        .refresh("5s")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(
            build.DashboardLink("Stride")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .keep_time(True)
            .include_vars(True)
        )
        .with_variable(
            build.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
        )
    )
    for variable in dashboard.variables:
        made.with_variable(_variable(variable))
    if dashboard.marks:
        made.annotation(_runs())
    for row in dashboard.rows:
        _add(made, row)
    return _numbered(made.build())


def _numbered(made: model.Dashboard) -> model.Dashboard:
    """Links to a panel name its number, so that it must not be Grafana's to choose."""
    for number, panel in enumerate(made.panels or (), start=1):
        panel.id_val = number
    return made


def _add(made: build.Dashboard, row: Row) -> None:
    made.with_row(build.Row(row.title))
    for panel in row.panels:
        made.with_panel(_panel(panel))


def _variable(variable: Variable) -> build.QueryVariable:
    sort = model.VariableSort  # Grafana chooses the first one
    made = (
        build.QueryVariable(variable.name)
        .label(variable.title)
        .description(variable.description)
        .datasource(DATA)
        .query(variable.query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(sort.ALPHABETICAL_DESC if variable.last else sort.ALPHABETICAL_ASC)
        .multi(variable.many)
        .include_all(variable.many)
    )
    if variable.many:
        everything = model.VariableOption(selected=True, text=["All"], value=["$__all"])
        made.current(everything)
    if variable.many and not variable.only_listed:
        made.all_value(".*")
    return made


def _runs() -> build.AnnotationQuery:
    return (
        build.AnnotationQuery()
        .name("Load tests")
        .datasource(OWN)
        .enable(True)
        .icon_color("purple")
        .type("tags")
        .target(build.AnnotationTarget().type("tags").tags([RUN_TAG]).match_any(True).limit(100))
    )


def _panel(panel: Panel) -> AnyPanel:
    made = KINDS[panel.kind]()
    made.title(panel.title).description(panel.description).unit(panel.unit)
    made.thresholds(_thresholds(panel.thresholds)).span(panel.width).height(panel.height)
    if panel.queries:
        made.datasource(DATA)
    for letter, query in zip(ascii_uppercase, panel.queries, strict=False):
        made.with_target(_target(panel.kind, letter, query))
    if isinstance(made, heatmap.Panel):
        made.y_axis(heatmap.YAxisConfig().unit(panel.unit))
    if panel.repeat:
        made.repeat(panel.repeat).max_per_row(3)
    if panel.kind in ("table", "waterfall"):
        _columns(made, panel)
    return made


def _target(kind: Kind, letter: str, query: Query) -> prometheus.Dataquery:
    made = prometheus.Dataquery().ref_id(letter).expr(query.expression).legend_format(query.legend)
    if kind in ("table", "waterfall"):
        return made.instant().format(PromQueryFormat.TABLE)
    if query.now:
        return made.instant()
    if kind == "heatmap":
        return made.range().format(PromQueryFormat.HEATMAP)
    return made.range().exemplar("_bucket" in query.expression)


def _columns(made: AnyPanel, panel: Panel) -> None:
    """One line for each model, with a column of its legend's name for each query."""
    letters = zip(ascii_uppercase, panel.queries, strict=False)
    names = {f"Value #{letter}": query.legend for letter, query in letters}
    made.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    made.with_transformation(
        model.DataTransformerConfig(
            id_val="organize", options={"excludeByName": {"Time": True}, "renameByName": names}
        )
    )
    for column in panel.columns:
        made.override_by_name(
            column.name,
            [
                model.DynamicConfigValue("unit", column.unit),
                model.DynamicConfigValue("thresholds", _thresholds(column.thresholds).build()),
                model.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
            ],
        )


def _thresholds(thresholds: Thresholds) -> build.ThresholdsConfig:
    steps = [model.Threshold(None, thresholds.base)]
    steps += [model.Threshold(value, colour) for value, colour in thresholds.steps]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)
