"""What the tables of one run say, in sentences: made from the records, so that they stay true."""

from collections.abc import Callable, Sequence

from benchmarks.gpu import (
    claims,
    energy,
    engines,
    kernels,
    onnx_engines,
    packages,
    selftest,
    serving,
)
from benchmarks.gpu.table import limited
from benchmarks.gpu.ways import BOTH, COMPILED, EAGER, FUSED, RECORDED
from benchmarks.pages import number
from measuring.record import Measurement

RECORDED_TARGET, COMPILED_TARGET = 3.0, 1.5
_SMALL, _LARGE = 1, 256
_PICTURE = 224 * 224 * 3  # bytes of each of the networks that are timed


def findings(found: Sequence[Measurement]) -> str:
    """A bullet for each thing that the run can tell of; empty where it can tell nothing."""
    makers: tuple[Callable[[Sequence[Measurement]], str], ...] = (
        _recorded, _fused, _compiled, _floors, _whole, _launches, _http, _aoti, _joules, _onnx,
        _operations, _answers,
    )  # fmt: skip
    return "\n".join(f"- {text}" for make in makers if (text := make(found)))


def _pick(found: Sequence[Measurement], name: str, **settings: object) -> Measurement | None:
    """The latest one with these settings."""
    for measured in reversed(found):
        if measured.name == name and settings.items() <= measured.settings.items():
            return measured
    return None


def _seconds(found: Sequence[Measurement], name: str, **settings: object) -> float | None:
    measured = _pick(found, name, **settings)
    return None if measured is None else measured.latencies.percentile(50.0)


def _networks(found: Sequence[Measurement], name: str) -> list[str]:
    return list(dict.fromkeys(str(m.settings["network"]) for m in found if m.name == name))


def _fp16(
    found: Sequence[Measurement], network: str, way: str, batch: int, clock: str = engines.DEVICE
) -> float | None:
    return _seconds(
        found, engines.NAME, network=network, precision="fp16", way=way, batch=batch, clock=clock
    )


def _target(ratios: dict[str, float], target: float) -> str:
    """Who reached it and who did not."""
    met = [network for network, ratio in ratios.items() if ratio >= target]
    missed = [network for network in ratios if network not in met]
    if not missed:
        return f"The target, {target:g} times, is met by all"
    who = f"met by {', '.join(met)} and " if met else ""
    return f"The target, {target:g} times, is {who}missed by {', '.join(missed)}"


def _fused(found: Sequence[Measurement]) -> str:
    """The kernels of our own beside eager PyTorch, at both ends."""
    told, ratios = [], {}
    for network in _networks(found, engines.NAME):
        one = [_fp16(found, network, way, _SMALL) for way in (EAGER, FUSED)]
        many = [_fp16(found, network, way, _LARGE) for way in (EAGER, FUSED)]
        if one[0] and one[1] and many[0] and many[1]:
            ratios[network] = many[0] / many[1]
            told.append(
                f"{network} {_LARGE / many[0]:,.0f} and {_LARGE / many[1]:,.0f} images per second "
                f"of {_LARGE} pictures ({many[0] / many[1]:.2f} times), one picture "
                f"{ms(one[0])} and {ms(one[1])} ({one[0] / one[1]:.1f} times)"
            )
    if not told:
        return ""
    return (
        "**Kernels of our own (`torch-fused`), fp16, on the device, beside eager channels-last:** "
        f"{'; '.join(told)}. {_target(ratios, COMPILED_TARGET)}."
    )


def _recorded(found: Sequence[Measurement]) -> str:
    told, ratios = [], {}
    for network in _networks(found, engines.NAME):
        eager, graph = (_fp16(found, network, way, _SMALL) for way in (EAGER, RECORDED))
        if eager and graph:
            ratios[network] = eager / graph
            told.append(f"{network} {ms(eager)} and {ms(graph)} ({eager / graph:.1f} times)")
    if not told:
        return ""
    return (
        "**One picture, fp16: eager PyTorch waits for launches, and a recorded CUDA graph does "
        f"not.** On the device {'; '.join(told)}. {_target(ratios, RECORDED_TARGET)}."
    )


def _compiled(found: Sequence[Measurement]) -> str:
    told, ratios = [], {}
    for network in _networks(found, engines.NAME):
        eager, plain, both = (_fp16(found, network, way, _LARGE) for way in (EAGER, COMPILED, BOTH))
        if eager and plain and both:
            ratios[network] = eager / both
            rates = ", ".join(f"{_LARGE / each:,.0f}" for each in (eager, plain, both))
            told.append(f"{network} {rates} ({eager / plain:.2f} and {eager / both:.2f} times)")
    if not told:
        return ""
    return (
        f"**{_LARGE} pictures, fp16: images per second on the device of eager channels-last, "
        f"compiled, and compiled and recorded.** {'; '.join(told)}. "
        f"{_target(ratios, COMPILED_TARGET)}."
    )


def _floors(found: Sequence[Measurement]) -> str:
    told = []
    for network in _networks(found, engines.NAME):
        best = [
            (m.latencies.percentile(50.0) / number(m, "floor"), str(m.settings["way"]))
            for m in found
            if m.name == engines.NAME
            and m.settings["floor"] is not None
            and {"network": network, "precision": "fp16", "batch": _LARGE, "clock": engines.DEVICE
            }.items() <= m.settings.items()
        ]  # fmt: skip
        if best:
            told.append(f"{network} {min(best)[0]:.1f} times ({min(best)[1]})")
    if not told:
        return ""
    return (
        f"**Far from the floor.** The fastest way at {_LARGE} pictures in fp16 takes, as a "
        f"multiple of the floor: {'; '.join(told)}. Bytes bound every one of these floors: "
        "what is lacking is not arithmetic."
        if _bound_by_bytes(found)
        else f"**Times the floor** at {_LARGE} pictures in fp16: {'; '.join(told)}."
    )


def _bound_by_bytes(found: Sequence[Measurement]) -> bool:
    bounds = {
        m.settings["floor_bound"]
        for m in found
        if m.name == engines.NAME
        and m.settings["precision"] == "fp16"
        and m.settings["batch"] == _LARGE
    }
    return bounds == {"bytes"}


def _whole(found: Sequence[Measurement]) -> str:
    told, rates = [], []
    for network in _networks(found, engines.NAME):
        for batch in (_SMALL, _LARGE):
            alone = _fp16(found, network, RECORDED, batch)
            whole = _fp16(found, network, RECORDED, batch, engines.END_TO_END)
            if alone and whole:
                told.append(f"{network} at {batch} {ms(alone)} and {ms(whole)}")
            if alone and whole and batch == _LARGE and whole > alone:
                rates.append(f"{batch * _PICTURE / (whole - alone) / 1e9:.1f}")
    if not told:
        return ""
    return (
        "**From memory to memory it takes longer than on the device**, since pixels are copied "
        f"there and logits back: recorded, fp16, {'; '.join(told)}. The {_LARGE} pictures are "
        f"{_LARGE * _PICTURE / 1e6:.1f} MB, so that the difference is {', '.join(rates)} GB/s."
    )


def _launches(found: Sequence[Measurement]) -> str:
    told = []
    for network in _networks(found, kernels.NAME):
        one = _pick(found, kernels.NAME, network=network, batch=_SMALL, way=EAGER)
        many = _pick(found, kernels.NAME, network=network, batch=_LARGE, way=EAGER)
        if one and many:
            share = number(many, "moving") / many.latencies.percentile(50.0)
            told.append(
                f"{network} {number(one, 'launches'):.0f} kernels, which run "
                f"{ms(one.latencies.percentile(50.0))} of a call, and {share:.0%} of the time of "
                f"{_LARGE} pictures only moves numbers"
            )
    return f"**Launches of one eager call with one picture**: {'; '.join(told)}." if told else ""


def _http(found: Sequence[Measurement]) -> str:
    """By batch size, what a closed loop got of each network, and what stood in its way."""
    told = []
    for network in _networks(found, serving.NAME):
        parts = [
            f"{m.settings['body']} x {m.settings['batch']}"
            f"{_front_ends(m)}: {number(m, 'images_per_second'):,.0f} "
            f"(limited by {limited(m)})"
            for m in found
            if m.name == serving.NAME
            and {"network": network, "model": serving.MODEL, "traffic": "closed"}.items()
            <= m.settings.items()
        ]
        if parts:
            told.append(f"{network} {', '.join(parts)}")
    if not told:
        return ""
    return f"**Over HTTP, images per second by pictures of a request**: {'; '.join(told)}."


def _front_ends(measured: Measurement) -> str:
    count = measured.settings["frontends"]
    return "" if count == 1 else f" with {count} front ends"


def _aoti(found: Sequence[Measurement]) -> str:
    return _beside(found, packages.NAME, packages.AOTI, "AOTInductor's packages on")


def _joules(found: Sequence[Measurement]) -> str:
    told = []
    for network in _networks(found, energy.NAME):
        each = [
            _pick(found, energy.NAME, network=network, batch=batch, way=way)
            for batch, way in ((_SMALL, EAGER), (_SMALL, RECORDED), (_LARGE, RECORDED))
        ]
        rates = [f"{1.0 / number(m, 'joules_per_image'):.1f}" for m in each if m]
        if len(rates) == len(each):
            told.append(f"{network} {', '.join(rates)}")
    if not told:
        return ""
    return (
        "**Images per joule** of the GPU, fp16, of one picture eager, one recorded and "
        f"{_LARGE} recorded: {'; '.join(told)}."
    )


def _onnx(found: Sequence[Measurement]) -> str:
    return _beside(found, onnx_engines.NAME, onnx_engines.ONNX, "ONNX Runtime's CUDA provider on")


def _beside(found: Sequence[Measurement], name: str, way: str, what: str) -> str:
    """How a runtime did against eager PyTorch in the same blocks."""
    told = [
        f"{m.settings['network']} {m.settings['precision']} at {m.settings['batch']} "
        f"{number(m, 'speed'):.2f} ({number(m, 'speed_low'):.2f} to {number(m, 'speed_high'):.2f})"
        for m in found
        if m.name == name and m.settings["way"] == way
    ]
    if not told:
        return ""
    networks = ", ".join(_networks(found, name))
    return (
        f"**{what} {networks}**, from memory to memory, as a multiple of eager PyTorch's speed in "
        f"the same blocks: {'; '.join(told)}."
    )


def _operations(found: Sequence[Measurement]) -> str:
    """Networks in the order of their speed, with what their operations would have said."""
    times = {
        network: (_seconds(found, claims.NAME, network=network, precision="fp16",
                           batch=_LARGE, way=EAGER), network)
        for network in _networks(found, claims.NAME)
    }  # fmt: skip
    order = sorted((seconds, network) for seconds, network in times.values() if seconds)
    if not order:
        return ""
    told = []
    for seconds, network in order:
        measured = _pick(found, claims.NAME, network=network, precision="fp16", batch=_LARGE)
        if measured:
            macs = number(measured, "operations") / 2 / _LARGE / 1e9
            told.append(f"{network} {_LARGE / seconds:,.0f} ({macs:.2f} GMACs)")
    return (
        f"**Fewer operations are not less time**: images per second of {_LARGE} in fp16, eager: "
        f"{'; '.join(told)}."
    )


def _answers(found: Sequence[Measurement]) -> str:
    replays = [m for m in found if m.name == selftest.NAME and "network" in m.settings]
    held = [m for m in replays if m.settings["holds"]]
    tests = _pick(found, selftest.NAME, test="pytest -m gpu")
    if not replays and not tests:
        return ""
    text = f"**Answers**: {len(held)} of {len(replays)} replays of golden pictures are within bound"
    if tests:
        ran = number(tests, "tests") - number(tests, "skipped")
        text += (
            f"; of the tests that need a GPU {ran:.0f} ran and {tests.settings['failed']} failed"
        )
        text += f" ({tests.settings['first']})" if tests.settings["failed"] else ""
    return f"{text}."


def ms(seconds: float) -> str:
    """Milliseconds, as people say them."""
    return f"{seconds * 1e3:.2f} ms"
