"""Checkpoints: reading a file without running what is in it, and loading all of it or nothing."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from measuring.errors import InputError
from models.catalog import create
from models.spelling import authors_spelling

State = dict[str, Tensor]

SUFFIXES = (".pth", ".pt", ".safetensors")

# What training scripts wrap a state in; the weights themselves before their moving average.
_CONTAINERS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "state_dict_ema",
    "model_ema",
    "ema",
)
# What DataParallel, torch.compile and Lightning put before every key.
_PREFIXES = ("module.", "_orig_mod.", "model.")
_LISTED = 8


def read_state(path: str | Path) -> State:
    """The tensors of a `.pth`, `.pt` or `.safetensors` file, by key, on the CPU.

    Containers of training scripts and the prefixes of wrappers are taken off. Nothing in the file
    is executed. Raises InputError for another suffix, a file that cannot be read, and one that
    holds anything but tensors.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise InputError(f"checkpoint {path}: expected a file ending in {' or '.join(SUFFIXES)}")
    if not path.is_file():
        raise InputError(f"checkpoint {path}: there is no such file")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    state = _without_prefixes(_unwrap(path, content))
    for key, tensor in state.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise InputError(
                f"checkpoint {path}: {key} holds values that are not finite; "
                "the training that wrote it diverged, use an earlier checkpoint"
            )
    return state


def load_state(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy `state` into `network`, every key of both.

    FasterNet takes timm's spelling as well as its authors'. Raises InputError that lists missing,
    unexpected and misshaped keys; the network is then untouched.
    """
    expected = network.state_dict()
    given = authors_spelling(state) if "avgpool_pre_head.1.weight" in expected else dict(state)
    for key, tensor in expected.items():
        # Counts training steps; files from before PyTorch 0.4.1 lack it, inference ignores it.
        if key.endswith("num_batches_tracked"):
            given.setdefault(key, torch.zeros_like(tensor))
    complaints = [
        *_listing("missing", sorted(expected.keys() - given.keys())),
        *_listing("unexpected", sorted(given.keys() - expected.keys())),
        *_listing("of another shape", _misshaped(expected, given)),
        *_listing("of another kind", _mistyped(expected, given)),
    ]
    if complaints:
        hint = _head_hint(network, expected, given)
        raise InputError("the checkpoint is not of this network: " + "; ".join(complaints) + hint)
    network.load_state_dict(given)


def classes_in(state: Mapping[str, Tensor], name: str) -> int:
    """How many classes a checkpoint of network `name` answers with.

    Raises InputError where it has no classifier of that network.
    """
    with torch.device("meta"):
        network = create(name)
    expected = network.state_dict()
    given = authors_spelling(state) if "avgpool_pre_head.1.weight" in expected else state
    key = classifier_key(network)
    if key not in given or given[key].ndim != expected[key].ndim:
        raise InputError(
            f"the checkpoint is not of {name}: it has no classifier {key}; its keys are "
            + _capped(list(state))
        )
    return given[key].shape[0]


def classifier_key(network: nn.Module) -> str:
    """The weight of the last linear layer, whose rows are the classes."""
    linear = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise InputError("the network has no linear layer, so it is no classifier")
    return f"{linear[-1]}.weight"


def _read_safetensors(path: Path) -> object:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"checkpoint {path} is no safetensors file: {error}") from error


def _read_torch(path: Path) -> object:
    try:
        with warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"checkpoint {path} holds more than tensors, which could run code when read: "
            f"{_first_reason(error)}. Save the tensors alone, where the checkpoint was made: "
            "torch.save(network.state_dict(), PATH)"
        ) from error
    except Exception as error:
        # A damaged pickle makes the reader stumble in as many ways as there are bytes.
        raise InputError(
            f"checkpoint {path} is damaged or was not written by torch.save: {_first_reason(error)}"
        ) from error


def _first_reason(error: Exception) -> str:
    """One line of what torch says, without its advice to read the file unsafely."""
    for line in str(error).splitlines():
        if "WeightsUnpickler error" in line or "Unsupported" in line:
            return line.partition("WeightsUnpickler error: ")[2] or line
    return (str(error).splitlines() or [type(error).__name__])[0]


def _unwrap(path: Path, content: object) -> State:
    for _ in range(3):
        if not isinstance(content, Mapping):
            break
        inner = next((content[key] for key in _CONTAINERS if _is_state(content.get(key))), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping) or not content:
        raise InputError(
            f"checkpoint {path} holds {_describe(content)}, expected named tensors; "
            "write one with torch.save(network.state_dict(), PATH)"
        )
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise InputError(
                f"checkpoint {path}: {key!r} is {_describe(value)}, expected a tensor; "
                f"a state may also stand under {', '.join(_CONTAINERS)}"
            )
    return dict(content)


def _is_state(value: object) -> bool:
    return isinstance(value, Mapping) and len(value) > 0


def _describe(value: object) -> str:
    return "nothing" if value is None or value == {} else f"a {type(value).__name__}"


def _without_prefixes(state: State) -> State:
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in state):
            return _without_prefixes({key.removeprefix(prefix): state[key] for key in state})
    return state


def _misshaped(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    return [
        f"{key} {tuple(given[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in expected
        if key in given and given[key].shape != expected[key].shape
    ]


def _mistyped(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    return [
        f"{key} {given[key].dtype} instead of {expected[key].dtype}"
        for key in expected
        if key in given and given[key].is_floating_point() != expected[key].is_floating_point()
    ]


def _listing(kind: str, keys: list[str]) -> list[str]:
    return [f"{len(keys)} keys {kind}: {_capped(keys)}"] if keys else []


def _capped(keys: list[str]) -> str:
    more = f" and {len(keys) - _LISTED} more" if len(keys) > _LISTED else ""
    return ", ".join(keys[:_LISTED]) + more


def _head_hint(
    network: nn.Module, expected: Mapping[str, Tensor], given: Mapping[str, Tensor]
) -> str:
    key = classifier_key(network)
    if key not in given or given[key].shape[:1] == expected[key].shape[:1]:
        return ""
    found = given[key].shape[0] if given[key].ndim else 0
    return (
        f". The checkpoint answers with {found} classes, the network with "
        f"{expected[key].shape[0]}: create it with num_classes={found}"
    )
