"""The machine a measurement was taken on: facts that stay, and the moment it was taken in.

Nothing is imported to be asked for its version, so that a fingerprint costs milliseconds.
"""

import hashlib
import json
import os
import platform
import re
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

from measuring.cores import affinity, available_cores, cpu_quota
from measuring.gpu import Gpu, GpuState, gpu_states, gpus
from measuring.processor import Processor, frequency, governor, processor

__all__ = ["Machine", "Moment", "available_cores", "fingerprint"]

LIBRARIES = (
    *("numpy", "pillow", "onnx", "onnxruntime", "onnxruntime-gpu", "openvino", "tensorrt"),
    *("torch", "fastapi", "starlette", "uvicorn", "uvloop", "httptools", "locust"),
)
ENVIRONMENT = (
    *("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"),
    *("KMP_AFFINITY", "KMP_BLOCKTIME", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    *("ORT_NUM_THREADS", "LD_PRELOAD", "MALLOC_ARENA_MAX", "CUDA_VISIBLE_DEVICES"),
)


@dataclass(frozen=True)
class Moment:
    """What may change from one minute to the next: clock in hertz, load average over a minute,
    thread settings of the environment, state of each GPU."""

    governor: str | None
    frequency: float | None
    load: float | None
    environment: dict[str, str]
    gpu_states: tuple[GpuState, ...]


@dataclass(frozen=True)
class Machine:
    """`memory` in bytes; `affinity` the logical cores allowed; `quota` the cores granted by the
    control group, None when unlimited; `gpus` None when they could not be asked for."""

    processor: Processor
    affinity: tuple[int, ...]
    quota: float | None
    memory: int
    gpus: tuple[Gpu, ...] | None
    system: str
    python: str
    libraries: dict[str, str]
    moment: Moment

    @property
    def cores(self) -> int:
        """How many cores may be used: the smaller of affinity and quota, at least 1."""
        allowed = len(self.affinity)
        return allowed if self.quota is None else max(1, min(allowed, int(self.quota)))

    @property
    def key(self) -> str:
        """A file name for what was measured here, e.g. `intel-xeon-e5-2680-4-cores-1f3a9c02`.

        Made of the hardware and the cores granted alone. Versions are left out: a service without
        torch must find what was measured beside it; `differences` tells about versions.
        """
        cards = [(gpu.name, gpu.memory, gpu.mig) for gpu in self.gpus or ()]
        hardware = [asdict(self.processor), self.cores, cards]
        digest = hashlib.sha256(json.dumps(hardware, sort_keys=True).encode()).hexdigest()[:8]
        names = [self.processor.model, *(gpu.name for gpu in (self.gpus or ())[:1])]
        return f"{_slug(' '.join(names))}-{self.cores}-cores-{digest}"

    def differences(self, other: "Machine") -> tuple[str, ...]:
        """What stays and is not the same there, e.g. `onnxruntime 1.31.1 -> 1.32.0`.

        What only one of the two knows, such as a library, is no difference.
        """
        mine, theirs = self._facts(), other._facts()
        return tuple(
            f"{name} {mine[name]} -> {theirs[name]}"
            for name in mine
            if name in theirs and mine[name] != theirs[name]
        )

    def _facts(self) -> dict[str, str]:
        facts = {
            "processor": self.processor.model,
            "features": " ".join(self.processor.features),
            "cores": str(self.cores),
            "memory": f"{self.memory} bytes",
            "system": self.system,
            "python": self.python,
        }
        if self.gpus is not None:
            facts["gpus"] = ", ".join(f"{gpu.name} (driver {gpu.driver})" for gpu in self.gpus)
        return facts | self.libraries


def fingerprint() -> Machine:
    """This machine, now."""
    return Machine(
        processor=processor(),
        affinity=affinity(),
        quota=cpu_quota(),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        gpus=gpus(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        libraries=_versions(),
        moment=Moment(
            governor=governor(),
            frequency=frequency(),
            load=os.getloadavg()[0],
            environment={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            gpu_states=gpu_states(),
        ),
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _slug(text: str) -> str:
    without_marks = re.sub(r"\((r|tm|c)\)|\bcpu\b|\bprocessor\b|@ \S+", " ", text.lower())
    return re.sub(r"[^a-z0-9]+", "-", without_marks).strip("-")[:60].rstrip("-")
