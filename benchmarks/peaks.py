"""What this machine can do at most: multiply-accumulates per second in each precision, and bytes
per second from each level of memory. The roofs that achieved rates are held against.

A roof is what was reached, not what a data sheet says: the fastest call of the fastest library.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.matrix_graph import convolution, matrix_product
from benchmarks.pieces import measured_piece
from benchmarks.run_graph import available, run_graph
from measuring.latencies import latencies
from measuring.machine import Machine
from measuring.record import Measurement, Scalar, now
from measuring.timing import Schedule, interleave

Call = Callable[[], object]

NAME = "peak"
SIDE = 1024  # of the square matrices: 1.07 billion multiply-accumulates
CHANNELS = 256
# Kernel, and side of a map of 256 channels: so large that its zero border, which runtimes do not
# multiply, is little of it.
CONVOLUTIONS = ((1, 28), (3, 56))
SIZES = tuple(1024 * kibibytes for kibibytes in (64, 256, 512, 2048, 8192, 65_536, 262_144))
LEAST_BYTES = 100_000_000  # moved by one timed call, so that starting it does not count

FULL = Schedule(runs=30, seconds=1.0, warmup=2, blocks=10)
QUICK = Schedule(runs=5, seconds=0.1, warmup=1, blocks=5)


def measure_peaks(
    threads: int, machine: Machine, schedule: Schedule, *, device: str = "cpu"
) -> list[Measurement]:
    """A record for each library and precision, and for each way and amount of moving bytes.

    Settings: `what` (gemm, copy or read), `precision`, `library`, `device`, `threads`; `macs` or
    `bytes` of one call (what a copy reads and writes); `size`: bytes touched again and again.
    """
    if device == "cuda":
        products, moves = _cuda_products(), _cuda_moves()
    else:
        products, moves = _products(threads), {}
    with _torch_threads(threads):
        found = _record(products, machine, schedule, {"threads": threads, "device": device})
        if device == "cpu":
            with ThreadPoolExecutor(threads) as pool:
                moves = {key: call for size in SIZES for key, call in _moves(pool, threads, size)}
                found += _record(moves, machine, schedule, {"threads": threads, "device": device})
            return found
        return found + _record(moves, machine, schedule, {"threads": threads, "device": device})


Key = tuple[tuple[str, Scalar], ...]


def _key(**settings: Scalar) -> Key:
    return tuple(settings.items())


def _record(
    calls: Mapping[Key, Call],
    machine: Machine,
    schedule: Schedule,
    common: Mapping[str, Scalar],
) -> list[Measurement]:
    started = now()
    wait = torch.cuda.synchronize if common["device"] == "cuda" else None
    timed = interleave({str(key): call for key, call in calls.items()}, schedule, synchronise=wait)
    return [
        Measurement(
            NAME,
            {**dict(key), **common},
            latencies(timed[str(key)].samples, blocks=timed[str(key)].blocks),
            machine,
            started,
        )
        for key in calls
    ]


def _products(threads: int) -> dict[Key, Call]:
    """Square products with every library at hand, in what each of them offers."""
    rng = np.random.Generator(np.random.PCG64(0))
    left, right = (rng.standard_normal((SIDE, SIDE), np.float32) for _ in range(2))
    a, b = torch.from_numpy(left), torch.from_numpy(right)
    small = [torch.from_numpy(rng.integers(-127, 127, (SIDE, SIDE), np.int8)) for _ in range(2)]
    half = (a.bfloat16(), b.bfloat16())
    calls: dict[Key, Call] = {
        _product("torch", "fp32"): lambda: a @ b,
        _product("torch", "bf16"): lambda: half[0] @ half[1],
        _product("torch", "int8"): lambda: torch._int_mm(small[0], small[1]),
    }
    floats = matrix_product(right)
    for runtime in available():
        calls[_product(runtime, "fp32")] = run_graph(runtime, floats, left, threads=threads)
        for kernel, side in CONVOLUTIONS:
            key, call = _convolution(runtime, kernel, side, threads)
            calls[key] = call
    unsigned = rng.integers(0, 255, (SIDE, SIDE), np.uint8)
    integers = matrix_product(small[1].numpy())
    calls[_product("onnxruntime", "int8")] = run_graph(
        "onnxruntime", integers, unsigned, threads=threads
    )
    if "openvino" in available():
        calls[_product("openvino", "bf16")] = run_graph(
            "openvino", floats, left, threads=threads, precision="bf16"
        )
    return calls


def _convolution(runtime: str, kernel: int, side: int, threads: int) -> tuple[Key, Call]:
    rng = np.random.Generator(np.random.PCG64(0))
    weights = rng.standard_normal((CHANNELS, CHANNELS, kernel, kernel), np.float32)
    maps = rng.standard_normal((1, CHANNELS, side, side), np.float32)
    library = f"{runtime}, {kernel}x{kernel} convolution"
    macs = weights.size * side * side
    key = _key(what="gemm", library=library, precision="fp32", macs=macs)
    return key, run_graph(runtime, convolution(weights, side), maps, threads=threads)


def _product(library: str, precision: str) -> Key:
    return _key(what="gemm", library=library, precision=precision, macs=SIDE**3)


def _cuda_products() -> dict[Key, Call]:
    side = 8 * SIDE
    calls: dict[Key, Call] = {}
    types = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    torch.backends.cuda.matmul.allow_tf32 = False
    for precision, dtype in types.items():
        a = torch.randn(side, side, device="cuda").to(dtype)
        key = _key(what="gemm", library="torch", precision=precision, macs=side**3)
        calls[key] = lambda a=a: a @ a  # type: ignore[misc]
    whole = torch.randint(-127, 127, (side, side), dtype=torch.int8, device="cuda")
    key = _key(what="gemm", library="torch", precision="int8", macs=side**3)
    calls[key] = lambda: torch._int_mm(whole, whole)
    return calls


def _cuda_moves() -> dict[Key, Call]:
    def copy(source: Tensor, target: Tensor) -> Call:
        return lambda: target.copy_(source)

    calls: dict[Key, Call] = {}
    for size in (4 << 20, 32 << 20, 1 << 30):
        source, target = (torch.ones(size // 8, device="cuda") for _ in range(2))
        key = _key(what="copy", library="torch", precision="fp32", size=size, bytes=size)
        calls[key] = copy(source, target)
    return calls


def _moves(pool: ThreadPoolExecutor, threads: int, size: int) -> Iterator[tuple[Key, Call]]:
    """Copying and reading `size` bytes per thread again and again; each thread has its own."""
    repeats = max(1, LEAST_BYTES // size // threads)
    halves = [tuple(np.ones(size // 8, np.float32) for _ in range(2)) for _ in range(threads)]
    wholes = [np.ones(size // 4, np.int32) for _ in range(threads)]

    def copy(index: int) -> None:
        source, target = halves[index]
        for _ in range(repeats):
            np.copyto(target, source)

    def read(index: int) -> None:
        for _ in range(repeats):
            np.maximum.reduce(wholes[index])

    moved = size * repeats * threads
    for what, move in (("copy", copy), ("read", read)):
        key = _key(what=what, library="numpy", precision="fp32", size=size, bytes=moved)
        yield key, _on_all(pool, move, threads)


def _on_all(pool: ThreadPoolExecutor, move: Callable[[int], None], threads: int) -> Call:
    if threads == 1:
        return lambda: move(0)
    return lambda: list(pool.map(move, range(threads)))


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def kept_peaks(
    path: Path, threads: int, machine: Machine, *, device: str, quick: bool, fresh: bool
) -> list[Measurement]:
    """The peaks that `path` keeps, measured where there are none."""
    return measured_piece(
        path,
        f"peaks, {device}, {threads} threads, {'quick' if quick else 'full'}",
        lambda: measure_peaks(threads, machine, QUICK if quick else FULL, device=device),
        machine,
        fresh=fresh,
    )
