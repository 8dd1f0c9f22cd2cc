"""What a front end knows of the core in the other process, as JSON: what is loaded and whether it
serves, which is told whenever it changes, and counts, which are told when somebody asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from service.seam import Core, Entry, ModelInfo
from service.statistics import Statistics

_MODELS = TypeAdapter(tuple[ModelInfo, ...])
_ENTRIES = TypeAdapter(tuple[Entry, ...])
_STATISTICS = TypeAdapter(dict[str, Statistics])


@dataclass(frozen=True)
class State:
    """`models` in their order; `unready` of the service and `unready_models` by id: why not, for
    those that do not serve."""

    models: tuple[ModelInfo, ...] = ()
    unready: str | None = None
    unready_models: Mapping[str, str] = field(default_factory=dict)
    draining: bool = False


@dataclass(frozen=True)
class Counts:
    """As the core's methods of these names have them."""

    statistics: dict[str, Statistics] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)
    index: tuple[Entry, ...] = ()


def state_of(core: Core) -> State:
    models = core.models()
    reasons = {model.id: core.unready_model(model.id) for model in models}
    return State(
        models=models,
        unready=core.unready(),
        unready_models={id_: reason for id_, reason in reasons.items() if reason is not None},
        draining=core.draining(),
    )


def write_state(state: State, *, with_models: bool) -> dict[str, Any]:
    """The models, with all their labels, only where they have changed."""
    told: dict[str, Any] = {
        "unready": state.unready,
        "unready_models": dict(state.unready_models),
        "draining": state.draining,
    }
    if with_models:
        told["models"] = _MODELS.dump_python(state.models, mode="json")
    return told


def read_state(told: Mapping[str, Any], before: State) -> State:
    """Raises ValueError for what is no state."""
    models = before.models
    if "models" in told:
        models = read_models(told["models"])
    return State(models, told["unready"], dict(told["unready_models"]), bool(told["draining"]))


def read_models(told: Any) -> tuple[ModelInfo, ...]:
    """Raises ValueError for what is none."""
    return _MODELS.validate_python(told, strict=False)


def write_counts(core: Core) -> dict[str, Any]:
    return {
        "statistics": write_statistics(core.statistics()),
        "pending": core.pending(),
        "index": _ENTRIES.dump_python(core.index(), mode="json"),
    }


def read_counts(told: Mapping[str, Any]) -> Counts:
    """Raises ValueError for what is none."""
    return Counts(
        read_statistics(told["statistics"]),
        {str(model): int(count) for model, count in told["pending"].items()},
        _ENTRIES.validate_python(told["index"]),
    )


def write_statistics(statistics: Mapping[str, Statistics]) -> dict[str, Any]:
    written: dict[str, Any] = _STATISTICS.dump_python(dict(statistics), mode="json")
    return written


def read_statistics(told: Mapping[str, Any]) -> dict[str, Statistics]:
    """Raises ValueError for what is none."""
    return _STATISTICS.validate_python(dict(told))
