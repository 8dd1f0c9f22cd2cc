"""The process and the GPUs: processor, memory, files, event loop; clocks, power, throttling."""

from monitoring.dashboards.expressions import LATENCY, buckets, percentiles
from monitoring.dashboards.panel import (
    BLUE,
    GREEN,
    RED,
    YELLOW,
    Dashboard,
    Panel,
    Query,
    Row,
    Thresholds,
    Variable,
)

HERE = 'instance=~"$instance"'
HALF = Thresholds(GREEN, ((0.5, YELLOW), (0.8, RED)))
ON = Thresholds(GREEN, ((1, RED),))
NOTHING = 'label_replace(vector(0), "outcome", "off", "", "")'
"""A zero called `off`, where a service does not do what is counted."""


def _each(metric: str, alone: str) -> str:
    """Of each process, or of a service that is one."""
    whole = f'label_replace({alone}{{{HERE}}}, "process", "service", "", "")'
    return f"{metric}{{{HERE}}} or on (instance) {whole}"


PROCESS = Row(
    "Process",
    (
        Panel(
            "lines",
            "Processor",
            "Processors that the service keeps busy: 2 are two of them.",
            "short", Thresholds(BLUE),
            (Query(f"rate(process_cpu_seconds_total{{{HERE}}}[$__rate_interval])",
                   "{{instance}}"),),
        ),
        Panel(
            "lines",
            "Memory",
            "Resident memory, and the address space, most of which is never touched. A floor of the"
            " resident one that rises is a leak.",
            "bytes", Thresholds(GREEN, ((4e9, YELLOW), (16e9, RED))),
            (
                Query(f"process_resident_memory_bytes{{{HERE}}}", "{{instance}} resident"),
                Query(f"process_virtual_memory_bytes{{{HERE}}}", "{{instance}} virtual"),
            ),
        ),
        Panel(
            "lines",
            "Event loop lag",
            "How late the loop is that reads and answers requests, looked at four times a second.",
            "s", Thresholds(GREEN, ((0.01, YELLOW), (0.1, RED))),
            percentiles("stride_event_loop_lag_seconds", HERE),
        ),
        Panel(
            "heatmap",
            "Event loop lag by time",
            "How often the loop was how late.",
            "s", LATENCY, buckets("stride_event_loop_lag_seconds", HERE),
        ),
        Panel(
            "lines",
            "Connections",
            "Connections that are open, idle ones too; --max-connections is the limit.",
            "short", Thresholds(GREEN, ((3000, YELLOW), (4000, RED))),
            (Query(f"stride_open_connections{{{HERE}}}", "{{instance}}"),), width=6,
        ),
        Panel(
            "lines",
            "Open files",
            "Share of the files that the process may open. Connections are files.",
            "percentunit", HALF,
            (Query(f"process_open_fds{{{HERE}}} / process_max_fds{{{HERE}}}", "{{instance}}"),),
            width=6,
        ),
        Panel(
            "number",
            "Up for",
            "Time since the process started: small where it was restarted.",
            "s", Thresholds(YELLOW, ((600, GREEN),)),
            (Query(f"time() - process_start_time_seconds{{{HERE}}}", "{{instance}}"),), width=6,
        ),
        Panel(
            "stack",
            "Traces",
            "Traced requests per second by what became of their traces: what is dropped or failed"
            " is missing from the collector. `off` where nothing is traced.",
            "reqps", ON,
            (Query(f"sum by (outcome) (rate(stride_traces_total{{{HERE}}}[$__rate_interval]))"
                   f" or on () {NOTHING}", "{{outcome}}"),),
            width=6,
        ),
    ),
)  # fmt: skip

FRONTENDS = Row(
    "Processes",
    (
        Panel(
            "lines",
            "Processes that work",
            "1 while it works: the service, and with --frontends each of its processes.",
            "short", Thresholds(RED, ((1, GREEN),)),
            (Query(_each("stride_process_up", "up"), "{{instance}} {{process}}"),), width=8,
        ),
        Panel(
            "lines",
            "Restarts",
            "Processes that ended and were started again, with --frontends, within 15 minutes.",
            "short", ON,
            (Query(f"sum by (process) (increase(stride_process_restarts_total{{{HERE}}}[15m]))"
                   f" or on () {NOTHING.replace('outcome', 'process')}", "{{process}}"),),
            width=8,
        ),
        Panel(
            "lines",
            "Memory of each process",
            "Resident memory; what processes share counts in each.",
            "bytes", Thresholds(GREEN, ((4e9, YELLOW), (16e9, RED))),
            (Query(_each("stride_process_resident_memory_bytes", "process_resident_memory_bytes"),
                   "{{instance}} {{process}}"),),
            width=8,
        ),
    ),
)  # fmt: skip

GPU = Row(
    "GPU",
    (
        Panel(
            "lines",
            "GPU utilisation",
            "Share of the time in which at least one kernel ran; it says nothing of how full the"
            " GPU was then.",
            "percentunit", Thresholds(BLUE),
            (Query(f"nv_gpu_utilization{{{HERE}}}", "{{gpu_uuid}}"),), width=8,
        ),
        Panel(
            "lines",
            "GPU memory",
            "Memory in use by all processes, and what there is.",
            "bytes", Thresholds(BLUE),
            (
                Query(f"nv_gpu_memory_used_bytes{{{HERE}}}", "{{gpu_uuid}} used"),
                Query(f"nv_gpu_memory_total_bytes{{{HERE}}}", "{{gpu_uuid}} all"),
            ),
            width=8,
        ),
        Panel(
            "lines",
            "GPU power",
            "Power now, what is allowed, and the mean from the energy counter.",
            "watt", Thresholds(BLUE),
            (
                Query(f"nv_gpu_power_usage{{{HERE}}}", "{{gpu_uuid}} now"),
                Query(f"nv_gpu_power_limit{{{HERE}}}", "{{gpu_uuid}} limit"),
                Query(f"rate(nv_energy_consumption{{{HERE}}}[$__rate_interval])",
                      "{{gpu_uuid}} mean"),
            ),
            width=8,
        ),
        Panel(
            "lines",
            "GPU clocks",
            "Clocks of the processors and of the memory. Figures taken at different clocks are not"
            " comparable.",
            "hertz", Thresholds(BLUE),
            (Query(f"stride_gpu_clock_hertz{{{HERE}}}", "{{gpu}} {{domain}}"),), width=8,
        ),
        Panel(
            "lines",
            "GPU throttling",
            "1 while clocks are held back for this reason.",
            "short", ON,
            (Query(f"stride_gpu_throttled{{{HERE}}}", "{{gpu}} {{reason}}"),), width=8,
        ),
        Panel(
            "lines",
            "GPU temperature",
            "Of the GPU itself.",
            "celsius", Thresholds(GREEN, ((75, YELLOW), (85, RED))),
            (Query(f"stride_gpu_temperature_celsius{{{HERE}}}", "{{gpu}}"),), width=8,
        ),
    ),
)  # fmt: skip

MACHINE = Dashboard(
    "machine",
    "Machine",
    "Processor, memory, files and event loop of the process; its GPUs, as NVML tells them.",
    (
        Variable(
            "instance",
            "Service",
            "Services that are scraped.",
            "label_values(stride_open_connections, instance)",
            many=True,
            only_listed=True,  # `process_*` is told by every program that is scraped
        ),
    ),
    (PROCESS, FRONTENDS, GPU),
)
