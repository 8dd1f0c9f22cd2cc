"""What an artifact says about itself: the record in `manifest.json`, and reading and writing it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from inference.errors import ArtifactError
from measuring.errors import InputError
from measuring.input_spec import InputSpec

Format = Literal["onnx", "torch", "tensorrt", "aoti"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]

MANIFEST = "manifest.json"
REFERENCE = "reference.npz"
SCHEMA = 1


@dataclass(frozen=True)
class Parity:
    """How far an engine's logits are from a reference network's, over `images` pictures.

    `distinct_top1`: different classes among the reference's answers; where it is 1, agreement of
    the top-1 answers says nothing. `rms_dlogit`: the root mean square over all logits, by which
    precisions below fp32 are judged. `near_ties`: pictures whose two best classes the reference
    puts so close together that the precision may swap them; below fp32 they do not count in
    `top1_agreement`, which has to reach `required_agreement`. `judged`: the pictures that count.
    """

    reference: str
    images: int
    max_abs_dlogit: float
    bound: float
    top1_agreement: float
    distinct_top1: int | None = None
    near_ties: int | None = None
    required_agreement: float = 1.0
    rms_dlogit: float | None = None
    judged: int | None = None

    @property
    def agreement(self) -> str:
        """The share of top-1 answers that agree, in words."""
        if self.judged is None or self.judged == self.images:
            return f"{self.top1_agreement:.1%} of {self.images}"
        agreed = round(self.top1_agreement * self.judged)
        left_out = self.images - self.judged
        return f"{agreed} of {self.judged}, {left_out} near tie{'s' * (left_out > 1)} left out"

    @property
    def distance(self) -> float:
        """What `bound` is for: the largest difference, or the root mean square if there is one."""
        return self.max_abs_dlogit if self.rms_dlogit is None else self.rms_dlogit

    @property
    def measure(self) -> str:
        """The name of `distance`, for messages."""
        return "max |dlogit|" if self.rms_dlogit is None else "rms dlogit"

    @property
    def holds(self) -> bool:
        """Within the bound, and as many top-1 answers the same as are required."""
        return self.distance <= self.bound and self.top1_agreement >= self.required_agreement


@dataclass(frozen=True)
class Variant:
    """One file of an artifact: which runtimes, devices and processor features it was made for.

    Any one of `features` suffices, where there are any. `kept`: layers of an int8 file that stay
    in float."""

    file: str
    runtimes: tuple[str, ...]
    parity: Parity
    features: tuple[str, ...] = ()
    rewrites: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("cpu", "cuda")
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class WeightsSource:
    """Where the weights came from (`url`, file name or `untrained`) and whether they learnt.

    `input_spec_source`: `given`, or whose published preprocessing stands in.
    """

    source: str
    sha256: str
    trained: bool
    licence: str | None = None
    published_top1: float | None = None
    input_spec_source: str | None = None


@dataclass(frozen=True)
class CostSummary:
    """Totals for one picture: multiply-accumulates, parameters, bytes moved (fp32)."""

    macs: int
    parameters: int
    bytes_moved: int


@dataclass(frozen=True)
class Accuracy:
    """Measured top-1 in [0, 1] over `images` pictures of `dataset`."""

    top1: float
    images: int
    dataset: str


@dataclass(frozen=True)
class FileEntry:
    """Size and checksum of a file of the artifact."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """The whole record; `parity` lists every comparison that verification made, `calibration`
    says on which pictures the scales of an int8 artifact were found."""

    id: str
    name: str
    network: str
    format: Format
    precision: Precision
    input: InputSpec
    labels: tuple[str, ...]
    weights: WeightsSource
    cost: CostSummary
    variants: tuple[Variant, ...]
    parity: tuple[Parity, ...]
    files: dict[str, FileEntry]
    tools: dict[str, str]
    created: str
    accuracy: Accuracy | None = None
    bound_to: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA
    calibration: str | None = None


_ADAPTER = TypeAdapter(Manifest)


def read_manifest(directory: Path) -> Manifest:
    """Raises ArtifactError if there is no manifest, it is damaged, or of another schema."""
    path = directory / MANIFEST
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"{directory} is no artifact: {MANIFEST} cannot be read ({error.strerror}); "
            "export writes it last, so an export that failed leaves none; run `stride export` again"
        ) from error
    try:
        manifest = _ADAPTER.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise ArtifactError(
            f"{path} is damaged: {where}: {first['msg']}; run `stride export` again"
        ) from error
    except InputError as error:
        raise ArtifactError(f"{path} is damaged: {error}; run `stride export` again") from error
    if manifest.schema != SCHEMA:
        raise ArtifactError(
            f"{path} has schema {manifest.schema}, expected {SCHEMA}; "
            "export it again with this version of stride"
        )
    return manifest


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Written whole or not at all: a reader never sees half a manifest."""
    path = directory / MANIFEST
    partial = path.with_suffix(".partial")
    partial.write_bytes(_ADAPTER.dump_json(manifest, indent=1) + b"\n")
    partial.replace(path)
