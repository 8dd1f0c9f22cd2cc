"""What a page of figures says of the machine they are from."""

from collections.abc import Sequence

from measuring.record import Measurement

_LIBRARIES = ("torch", "onnxruntime", "openvino")
_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimddp", "bf16")


def machine_lines(measurements: Sequence[Measurement]) -> str:
    """The machine, the versions, the day, and how many records are marked INVALID."""
    first = measurements[0]
    machine = first.machine
    versions = [f"{name} {machine.libraries[name]}" for name in _LIBRARIES
                if name in machine.libraries]  # fmt: skip
    features = [name for name in _FEATURES if name in machine.processor.features]
    threads = sorted({str(m.settings["threads"]) for m in measurements if "threads" in m.settings})
    doubtful = [m for m in measurements if not m.valid]
    told = (
        f"{machine.processor.model}, {machine.cores} cores ({', '.join(features)}"
        f"{', a shared virtual machine' if machine.processor.virtual else ''}), "
        f"{', '.join(versions)}; threads: {', '.join(threads)}; {first.started[:10]}; "
        f"{len(measurements)} records"
    )
    if not doubtful:
        return f"{told}, all VALID."
    kinds = sorted({reason.partition(":")[0] for m in doubtful for reason in m.reasons})
    return f"{told}, {len(doubtful)} of them INVALID ({', '.join(kinds)})."
