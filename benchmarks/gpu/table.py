"""What was found, as tables that a person reads: images per second by way and batch size, with the
share of the least possible time."""

from collections.abc import Sequence

from benchmarks.gpu import (
    claims,
    energy,
    engines,
    kernels,
    onnx_engines,
    packages,
    peaks,
    plans,
    selftest,
    serving,
    serving_locust,
)
from benchmarks.gpu.journal import Entry
from benchmarks.pages import header, number, row, speed
from measuring.record import Measurement


def tables(measurements: Sequence[Measurement]) -> str:
    """Every table for which there is a measurement, as Markdown."""
    named = {name: [m for m in measurements if m.name == name] for name in _TABLES}
    parts = [_TABLES[name](found) for name, found in named.items() if found]
    return "\n\n".join(parts)


def ended(entries: Sequence[Entry]) -> str:
    """How many steps ended how, and every one that did not end well."""
    outcomes = [entry.outcome for entry in entries]
    counts = ", ".join(f"{outcomes.count(one)} {one}" for one in dict.fromkeys(outcomes))
    wrong = [
        f"- {entry.stage}, {entry.step}: {entry.outcome}: {entry.message}"
        for entry in entries
        if entry.outcome != "done"
    ]
    return "\n".join([f"Steps: {counts or 'none, all were finished before'}.", *wrong])


def _peaks(found: Sequence[Measurement]) -> str:
    lines = ["### What the GPU can do at most", "", *header(("what", "median", "rate"))]
    for measured in found:
        rate = number(measured, "per_second") / 1e12
        unit = "TB/s" if measured.settings["kind"] == peaks.COPY else "TFLOP/s"
        lines.append(row([str(measured.settings["kind"]), _time(measured), f"{rate:.2f} {unit}"]))
    return "\n".join(lines)


def _engines(found: Sequence[Measurement]) -> str:
    """A table for each network, precision and clock: ways across, batch sizes down."""
    groups: dict[tuple[str, ...], list[Measurement]] = {}
    for measured in found:
        place = tuple(str(measured.settings[key]) for key in ("network", "precision", "clock"))
        groups.setdefault(place, []).append(measured)
    return "\n\n".join(_by_batch(place, groups[place]) for place in groups)


def _by_batch(place: tuple[str, ...], found: Sequence[Measurement]) -> str:
    network, precision, clock = place
    ways = list(dict.fromkeys(str(measured.settings["way"]) for measured in found))
    cells = {(measured.settings["batch"], measured.settings["way"]): measured for measured in found}
    lines = [f"### {network} {precision}, {clock}: images/s (median time, times the floor)", ""]
    lines += header(("batch", *ways))
    for batch in sorted({int(str(measured.settings["batch"])) for measured in found}):
        across = [_cell(cells.get((batch, way))) for way in ways]
        lines.append(row([str(batch), *across]))
    return "\n".join(lines)


def _cell(measured: Measurement | None) -> str:
    if measured is None:
        return ""
    seconds = measured.latencies.percentile(50.0)
    times = _times_the_floor(measured)
    return f"{number(measured, 'batch') / seconds:,.0f} ({_told(seconds)}{times})"


def _times_the_floor(measured: Measurement) -> str:
    if measured.settings["floor"] is None:
        return ""
    return f", {measured.latencies.percentile(50.0) / number(measured, 'floor'):.1f} x"


def _claims(found: Sequence[Measurement]) -> str:
    columns = ("network", "precision", "batch", "way", "images/s", "TFLOP/s", "times the floor")
    lines = ["### Operations and time", "", *header(columns)]
    keys = ("precision", "batch", "way", "network")
    for measured in sorted(found, key=lambda m: [str(m.settings[key]) for key in keys]):
        settings, seconds = measured.settings, measured.latencies.percentile(50.0)
        cells = [str(settings[key]) for key in ("network", "precision", "batch", "way")]
        cells += [f"{number(measured, 'batch') / seconds:,.0f}"]
        cells += [f"{number(measured, 'operations') / seconds / 1e12:.2f}"]
        lines.append(row([*cells, _times_the_floor(measured).strip(", ")]))
    return "\n".join(lines)


def _kernels(found: Sequence[Measurement]) -> str:
    columns = ("network", "batch", "way", "launches", "kernels run", "of it moving", "in all")
    lines = ["### Kernels of one call", "", *header(columns)]
    for measured in found:
        settings = measured.settings
        cells = [str(settings[key]) for key in ("network", "batch", "way")]
        cells += [f"{number(measured, 'launches'):.0f}", _time(measured)]
        cells += [_told(number(measured, "moving")), _told(number(measured, "span"))]
        lines.append(row(cells))
    return "\n".join(lines)


def _energy(found: Sequence[Measurement]) -> str:
    lines = ["### Power", "", *header(("network", "batch", "way", "watts", "images per joule"))]
    for measured in found:
        cells = [str(measured.settings[key]) for key in ("network", "batch", "way")]
        joules = number(measured, "joules_per_image")
        each = f"{1.0 / joules:.1f}" if joules > 0 else ""
        lines.append(row([*cells, f"{number(measured, 'watts'):.0f}", each]))
    return "\n".join(lines)


def _selftest(found: Sequence[Measurement]) -> str:
    columns = ("network", "precision", "way", "departs by", "at most", "same top answer")
    lines = ["### Answers against the processor's float64", "", *header(columns)]
    for measured in found:
        settings = measured.settings
        if "network" not in settings:
            continue
        cells = [str(settings[key]) for key in ("network", "precision", "way")]
        cells += [f"{number(measured, 'distance'):.2g}", f"{number(measured, 'bound'):.2g}"]
        lines.append(row([*cells, f"{number(measured, 'agreement'):.0%}"]))
    return "\n".join(lines)


def _onnx(found: Sequence[Measurement]) -> str:
    columns = ("network", "precision", "batch", "way", "median", "times as fast as torch")
    lines = ["### ONNX Runtime beside PyTorch, end to end", "", *header(columns)]
    for measured in found:
        cells = [str(measured.settings[key]) for key in ("network", "precision", "batch", "way")]
        alone = measured.settings["way"] == measured.settings["base"]
        lines.append(row([*cells, _time(measured), "1" if alone else speed(measured)]))
    return "\n".join(lines)


def _aoti(found: Sequence[Measurement]) -> str:
    return _onnx(found).replace("### ONNX Runtime", "### AOTInductor", 1)


def _tensorrt(found: Sequence[Measurement]) -> str:
    return _onnx(found).replace("### ONNX Runtime", "### TensorRT", 1)


def _http(found: Sequence[Measurement]) -> str:
    columns = (
        *("network", "front ends", "body", "pictures", "clients", "images/s", "p50", "p99"),
        *(
            "floor, images/s",
            "HTTP",
            "engine",
            "GPU",
            "decoding",
            "GPU memory, GB",
            "W",
            "limited by",
        ),
    )
    lines = ["### Over HTTP", "", *header(columns)]
    floors = {_asked(m): number(m, "images_per_second") for m in found if _is_floor(m)}
    for measured in found:
        settings = measured.settings
        if _is_floor(measured):
            continue
        rate = settings["rate"]
        asking = str(settings["connections"]) if rate is None else f"{float(str(rate)):,.0f}/s"
        cells = [str(settings[key]) for key in ("network", "frontends", "body", "batch")]
        cells += [asking, f"{number(measured, 'images_per_second'):,.0f}", _time(measured)]
        cells += [_told(measured.latencies.percentile(99.0))]
        floor = floors.get(_asked(measured))
        cells += [f"{floor:,.0f}" if floor else ""]
        cells += [_share(measured, name) for name in ("http", "engine", "gpu", "decode")]
        cells += [_most(measured, "nv_gpu_memory_used_bytes", 1e9, 1)]
        cells += [_most(measured, "nv_gpu_power_usage", 1.0, 0)]
        lines.append(row([*cells, limited(measured)]))
    return "\n".join(lines)


def _most(measured: Measurement, name: str, unit: float, digits: int) -> str:
    """The largest value of a series of GPUs; empty where the service had none."""
    known = measured.settings.get(name) is not None
    return f"{number(measured, name) / unit:.{digits}f}" if known else ""


def _locust(found: Sequence[Measurement]) -> str:
    columns = ("network", "body", "pictures", "users", "images/s", "p50", "p99", "errors")
    lines = ["### Over HTTP, by locust", "", *header((*columns, "most time in"))]
    for measured in found:
        cells = [str(measured.settings[key]) for key in ("network", "body", "batch", "connections")]
        cells += [f"{number(measured, 'images_per_second'):,.0f}"]
        cells += [_told(number(measured, "p50")), _told(number(measured, "p99"))]
        lines.append(row([*cells, str(measured.settings["errors"]), _longest(measured)]))
    return "\n".join(lines)


def limited(measured: Measurement) -> str:
    """What a service was limited by, and the stage in which a request spends most of its time."""
    longest = _longest(measured)
    limit = _LIMITS[str(measured.settings["limit"])]
    return f"{limit}, most time in {longest}" if longest else limit


def _longest(measured: Measurement) -> str:
    """The stage with the longest median; empty where the service told of none."""
    prefix = "stage_"
    stages = {
        name.removeprefix(prefix): number(measured, name)
        for name in measured.settings
        if name.startswith(prefix) and name != f"{prefix}total"
    }
    return max(stages, key=lambda stage: stages[stage], default="")


_LIMITS = {
    "generator": "the generator", "http": "HTTP", "decode": "decoding", "engine": "the engine",
    "gpu": "the GPU", "none": "no full part",
}  # fmt: skip


def _is_floor(measured: Measurement) -> bool:
    return measured.settings["model"] == serving.FLOOR


def _asked(measured: Measurement) -> tuple[str, ...]:
    return tuple(str(measured.settings[key]) for key in ("network", "frontends", "body", "batch"))


def _share(measured: Measurement, name: str) -> str:
    share = measured.settings[f"share_{name}"]
    return "" if share is None else f"{float(str(share)):.0%}"


def _time(measured: Measurement) -> str:
    return _told(measured.latencies.percentile(50.0))


def _told(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} us" if seconds < 1e-2 else f"{seconds * 1e3:,.1f} ms"


_TABLES = {
    peaks.NAME: _peaks,
    engines.NAME: _engines,
    claims.NAME: _claims,
    kernels.NAME: _kernels,
    packages.NAME: _aoti,
    onnx_engines.NAME: _onnx,
    plans.NAME: _tensorrt,
    serving.NAME: _http,
    serving_locust.NAME: _locust,
    energy.NAME: _energy,
    selftest.NAME: _selftest,
}
