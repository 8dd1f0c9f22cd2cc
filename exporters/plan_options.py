"""How a TensorRT plan is to be built, and what it is bound to afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from measuring.errors import InputError

HardwareLevel = Literal["none", "same_compute_capability", "ampere_plus"]

MOST_PICTURES = 256  # at once
_GIBIBYTE = 1 << 30
# A version-compatible plan of TensorRT 10 or 11 runs on a later 11; nothing is said of 12.
_UNDOCUMENTED_VERSION = "12"
_AMPERE = "8.0"


@dataclass(frozen=True)
class BatchProfile:
    """The batch sizes a plan takes, and the one it is tuned for.

    Raises InputError unless 1 <= minimum <= optimum <= maximum <= 256.
    """

    minimum: int = 1
    optimum: int = 8
    maximum: int = 32

    def __post_init__(self) -> None:
        if not 1 <= self.minimum <= self.optimum <= self.maximum <= MOST_PICTURES:
            raise InputError(
                f"batch profile {self.minimum}, {self.optimum}, {self.maximum}: expected "
                f"1 <= minimum <= optimum <= maximum <= {MOST_PICTURES}"
            )


def batches_up_to(maximum: int) -> BatchProfile:
    """The usual profile with another largest batch; tuned for that one where it is below the usual
    optimum. Raises InputError unless 1 <= maximum <= 256."""
    return BatchProfile(optimum=min(maximum, BatchProfile.optimum), maximum=maximum)


@dataclass(frozen=True)
class PlanOptions:
    """`workspace`: bytes a layer may use while it computes. `version_compatible`: runs on later
    versions of TensorRT, too. `hardware`: on which other GPUs; both may cost speed.

    Raises InputError for a workspace below one mebibyte.
    """

    batch: BatchProfile = field(default_factory=BatchProfile)
    workspace: int = 4 * _GIBIBYTE
    version_compatible: bool = False
    hardware: HardwareLevel = "none"

    def __post_init__(self) -> None:
        if self.workspace < 1 << 20:
            raise InputError(f"workspace is {self.workspace} bytes, expected 1048576 or more")


def plan_bound_to(facts: Mapping[str, str], options: PlanOptions) -> dict[str, str]:
    """What a machine must have to run a plan that was built where `facts` hold: those of
    `inference.binding.machine_facts` with the version of TensorRT, loosened by the options.

    Source: TensorRT documentation 11.4, "Engine Compatibility" and "Support Matrix".
    """
    bound = dict(facts)
    if options.hardware != "none":
        del bound["gpu"]
    if options.hardware == "ampere_plus":
        bound["compute_capability"] = f">={_AMPERE}"
    if options.version_compatible:
        bound["tensorrt"] = f">={facts['tensorrt']},<{_UNDOCUMENTED_VERSION}"
    if options.version_compatible or options.hardware != "none":
        bound["driver"] = f">={facts['driver']}"
    return bound
