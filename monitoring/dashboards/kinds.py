"""How each kind of panel looks in Grafana."""

from collections.abc import Callable

from grafana_foundation_sdk.builders import (
    annotationslist,
    barchart,
    common,
    heatmap,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import heatmap as heat

from monitoring.dashboards.panel import Kind

RUN_TAG = "stride-loadtest"
"""Of the annotations that `stride loadtest --grafana URL` leaves."""

AnyPanel = (
    timeseries.Panel
    | heatmap.Panel
    | stat.Panel
    | table.Panel
    | barchart.Panel
    | annotationslist.Panel
)


def _legend() -> common.VizLegendOptions:
    shown = common.VizLegendOptions().show_legend(True).placement(options.LegendPlacement.BOTTOM)
    return shown.display_mode(options.LegendDisplayMode.TABLE).calcs(["mean", "max", "lastNotNull"])


def _palette() -> build.FieldColor:
    return build.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME)


def _of_thresholds() -> build.FieldColor:
    return build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS)


def _tooltip() -> common.VizTooltipOptions:
    return (
        common.VizTooltipOptions()
        .mode(options.TooltipDisplayMode.MULTI)
        .sort(options.SortOrder.DESCENDING)
    )


def _lines() -> timeseries.Panel:
    dashed = common.GraphThresholdsStyleConfig().mode(options.GraphThresholdsStyleMode.DASHED)
    return (
        timeseries.Panel()
        .color_scheme(_palette())
        .legend(_legend())
        .tooltip(_tooltip())
        .line_width(1)
        .fill_opacity(5)
        .show_points(options.VisibilityMode.NEVER)
        .axis_soft_min(0)
        .thresholds_style(dashed)
    )


def _stack() -> timeseries.Panel:
    stacked = common.StackingConfig().mode(options.StackingMode.NORMAL).group("A")
    off = common.GraphThresholdsStyleConfig().mode(options.GraphThresholdsStyleMode.OFF)
    return _lines().stacking(stacked).fill_opacity(60).thresholds_style(off)


def _heatmap() -> heatmap.Panel:
    colours = (
        heatmap.HeatmapColorOptions()
        .mode(heat.HeatmapColorMode.SCHEME)
        .scheme("Turbo")
        .scale(heat.HeatmapColorScale.EXPONENTIAL)
        .exponent(0.5)
        .steps(64)
        .fill("dark-orange")
    )
    return (
        heatmap.Panel()
        .calculate(False)
        .color(colours)
        .cell_gap(1)
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .show_legend()
        .show_y_histogram()
        .exemplars_color("rgba(255,0,255,0.7)")
    )


def _number() -> stat.Panel:
    newest = common.ReduceDataOptions().calcs(["lastNotNull"])
    return (
        stat.Panel()
        .color_scheme(_of_thresholds())
        .reduce_options(newest)
        .graph_mode(options.BigValueGraphMode.AREA)
        .color_mode(options.BigValueColorMode.VALUE)
    )


def _waterfall() -> barchart.Panel:
    return (
        barchart.Panel()
        .color_scheme(_palette())
        .orientation(options.VizOrientation.HORIZONTAL)
        .stacking(options.StackingMode.NORMAL)
        .show_value(options.VisibilityMode.AUTO)
        .x_field("model")
        .group_width(0.7)
        .bar_width(0.95)
        .legend(common.VizLegendOptions().show_legend(True))
        .tooltip(_tooltip())
    )


def _table() -> table.Panel:
    return table.Panel().color_scheme(_of_thresholds())


def _run_list() -> annotationslist.Panel:
    return (
        annotationslist.Panel()
        .tags([RUN_TAG])
        .limit(20)
        .show_tags(True)
        .show_time(True)
        .show_user(False)
        .only_in_time_range(False)
        .navigate_before("1m")
        .navigate_after("1m")
    )


KINDS: dict[Kind, Callable[[], AnyPanel]] = {
    "lines": _lines,
    "stack": _stack,
    "heatmap": _heatmap,
    "number": _number,
    "table": _table,
    "waterfall": _waterfall,
    "runs": _run_list,
}
