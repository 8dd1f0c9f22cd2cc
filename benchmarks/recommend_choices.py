"""What can be chosen: every way that `stride bench` timed, up to each batch size it was timed at.

Read from records alone; what cannot be used is handed back with the reason.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from measuring.bootstrap import Interval
from measuring.latencies import Latencies
from measuring.record import Measurement, Scalar

IMAGENET_IMAGES = 50_000
"""Pictures that published ImageNet accuracies are measured on (the validation set)."""


@dataclass(frozen=True)
class Accuracy:
    """Top-1 in [0, 1]; `images`: how many pictures it was measured on, where that is known.

    `origin`: `published` is of the published checkpoint in fp32, whatever weights and precision
    were timed.
    """

    top1: float
    origin: Literal["measured", "published"]
    source: str
    images: int | None


@dataclass(frozen=True)
class Published:
    """A checkpoint's published top-1 in [0, 1], and the first digits of its SHA-256, if known."""

    top1: float
    sha256_prefix: str = ""


@dataclass(frozen=True, eq=False)
class Choice:
    """One way to answer, with batches of up to `max_batch` images.

    `calls`: latencies in seconds of one call by batch size, of those measured up to `max_batch`;
    `throughput`: images per second of all instances at `max_batch`; `memory`: bytes, resident or
    on the GPU it runs on; `reasons`: why a record behind it is marked INVALID.
    """

    artifact: str
    network: str
    precision: str
    runtime: str
    device: str
    threads: int
    instances: int
    max_batch: int
    calls: Mapping[int, Latencies]
    throughput: Interval
    memory: int | None = None
    accuracy: Accuracy | None = None
    trained: bool = True
    reasons: tuple[str, ...] = ()

    @property
    def way(self) -> tuple[str, str, str, int, int]:
        """Everything but the batch size."""
        return (self.artifact, self.runtime, self.device, self.threads, self.instances)

    @property
    def name(self) -> str:
        """As a person would say it."""
        device = "" if self.device == "cpu" else f" ({self.device})"
        shape = f"{self.instances} instance{'s' * (self.instances > 1)} of {self.threads} thread"
        shape += "s" * (self.threads > 1)
        prefix = "" if self.artifact.startswith(self.network) else f"{self.artifact}: "
        return (
            f"{prefix}{self.network} {self.precision} on {self.runtime}{device}, {shape}, "
            f"max_batch {self.max_batch}"
        )

    @property
    def spread(self) -> float:
        """Half of the interval of the throughput, as a share of it."""
        return (self.throughput.high - self.throughput.low) / 2.0 / self.throughput.estimate


@dataclass(frozen=True)
class LeftOut:
    """What was measured and is not used: which, and why not."""

    name: str
    reason: str


def choices(
    measurements: Iterable[Measurement],
    published: Mapping[str, Published],
    *,
    invalid: bool = False,
) -> tuple[tuple[Choice, ...], tuple[LeftOut, ...]]:
    """Those of the records named `bench`, in order of their names; the latest where one repeats.

    `invalid`: whether records marked INVALID are used like any other.
    """
    ways: dict[tuple[Scalar, ...], dict[int, Measurement]] = {}
    left_out = []
    for record in sorted(measurements, key=lambda record: record.started):
        if record.name != "bench":
            continue
        if not (invalid or is_valid(record)):
            left_out.append(LeftOut(_name(record), f"INVALID: {reasons(record) or 'no reason'}"))
            continue
        if (missing := _missing(record)) is not None:
            left_out.append(LeftOut(_name(record), f"the record has no {missing}"))
            continue
        settings = record.settings
        way = tuple(
            settings[key] for key in ("artifact", "runtime", "device", "threads", "instances")
        )
        ways.setdefault(way, {})[int(str(settings["batch"]))] = record
    found = [
        _choice([sizes[size] for size in sorted(sizes) if size <= largest], published)
        for sizes in ways.values()
        for largest in sizes
    ]
    return tuple(sorted(found, key=lambda choice: (choice.way, choice.max_batch))), tuple(left_out)


def is_valid(record: Measurement) -> bool:
    """Nothing speaks against the numbers, in the record or in its settings."""
    return record.valid and record.settings.get("valid", True) is not False


def reasons(record: Measurement) -> str:
    """What speaks against the numbers, `; ` between."""
    return "; ".join(record.reasons) or str(record.settings.get("reasons") or "")


_NEEDED = (
    *("artifact", "network", "precision", "runtime", "device", "threads", "instances", "batch"),
    "images_per_second",
)


def _missing(record: Measurement) -> str | None:
    return next((key for key in _NEEDED if record.settings.get(key) is None), None)


def _name(record: Measurement) -> str:
    settings = record.settings
    shape = f"{settings.get('instances')} x {settings.get('threads')} threads"
    return (
        f"{settings.get('artifact')} on {settings.get('runtime')}, {shape}, "
        f"batch {settings.get('batch')}"
    )


def _choice(records: Sequence[Measurement], published: Mapping[str, Published]) -> Choice:
    """From the records of one way, smaller batch sizes first; the last says `max_batch`."""
    last = records[-1].settings
    device = str(last["device"])
    memory = [
        int(str(value))
        for record in records
        if (value := record.settings.get("peak_rss" if device == "cpu" else "vram")) is not None
    ]
    rate = float(str(last["images_per_second"]))
    low, high = (_number(last, key, rate) for key in ("ci_low", "ci_high"))
    return Choice(
        artifact=str(last["artifact"]),
        network=str(last["network"]),
        precision=str(last["precision"]),
        runtime=str(last["runtime"]),
        device=device,
        threads=int(str(last["threads"])),
        instances=int(str(last["instances"])),
        max_batch=int(str(last["batch"])),
        calls={int(str(record.settings["batch"])): record.latencies for record in records},
        throughput=Interval(rate, low, high, 0.95),
        memory=max(memory, default=None),
        accuracy=_accuracy(last, published),
        trained=last.get("trained") is not False,
        reasons=tuple(dict.fromkeys(text for record in records if (text := reasons(record)))),
    )


def _number(settings: Mapping[str, Scalar], key: str, otherwise: float) -> float:
    value = settings.get(key)
    return otherwise if value is None else float(str(value))


def _accuracy(
    settings: Mapping[str, Scalar], published: Mapping[str, Published]
) -> Accuracy | None:
    """Measured where the record has it; published for the published weights, and as what those
    would reach for weights that never learnt. Nothing is known about others."""
    source = str(settings.get("accuracy_source") or "")
    if (top1 := settings.get("accuracy")) is not None:
        if source.startswith("published"):
            return Accuracy(float(str(top1)), "published", source, IMAGENET_IMAGES)
        found = re.search(r"(\d[\d,]*) (?:pictures|images)", source)
        images = int(found[1].replace(",", "")) if found else None
        return Accuracy(float(str(top1)), "measured", source or "measured", images)
    row = published.get(str(settings["network"]))
    if row is None:
        return None
    digest = str(settings.get("weights") or "")
    untrained = settings.get("trained") is False
    if untrained or (row.sha256_prefix and digest.startswith(row.sha256_prefix)):
        return Accuracy(row.top1, "published", "published with the checkpoint", IMAGENET_IMAGES)
    return None
