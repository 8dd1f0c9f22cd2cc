"""What a load test with locust can be told, on its command line and in its web page."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from loadtest import slo
from loadtest.api_key import read_api_key
from loadtest.locust_plans import SHAPES, Plan, Shape, make_plan
from measuring.errors import InputError

if TYPE_CHECKING:
    from locust.argument_parser import LocustArgumentParser

BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)
PICTURES = {
    "jpeg-224": ("jpeg", 224),
    "jpeg-375": ("jpeg", 375),
    "jpeg-1080": ("jpeg", 1080),
    "png-375": ("png", 375),
}
"""Kinds of encoded pictures: format, and pixels of the shorter side."""
USERS = ("pictures", "pixels", "compare")
MIX = "pictures=2,pixels=2,compare=1"
SLO = "p99=500ms,errors=1%"


_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "--model": {
        "default": "",
        "help": "Id or alias of the model; may be left out where the service has one model.",
    },
    "--mix": {
        "default": MIX,
        "help": "How many users ask for what, in proportion: one picture per request "
        "(/v1/classify), pixel tensors (/v2), one picture through several models (/v1/compare).",
    },
    "--batch-size": {
        "nargs": "+", "type": int, "choices": BATCH_SIZES, "default": [1], "is_multiple": True,
        "help": "Pictures in one tensor; of several sizes each request takes one at random.",
    },
    "--picture": {
        "nargs": "+", "choices": list(PICTURES), "default": list(PICTURES), "is_multiple": True,
        "help": "Format and shorter side of encoded pictures; each request takes one at random.",
    },
    "--bodies": {
        "type": int, "default": 8,
        "help": "Different bodies of each kind, at most: 1 sends the same one again and again.",
    },
    "--compare-models": {
        "default": "",
        "help": "Ids or aliases for /v1/compare, separated by commas; empty: all that are loaded.",
    },
    "--user-rate": {
        "type": float, "default": 0.0,
        "help": "Requests per second of each user, at most; 0: as soon as the last is answered.",
    },
    "--shape": {
        "choices": list(SHAPES), "default": "constant",
        "help": "Users over time. constant, soak: --users; steps: up to --users; spike: to --users "
        "and back; ramp: up until --slo breaks. --run-time is the length of all of it.",
    },
    "--steps": {"type": int, "default": 10, "help": "Steps of the shapes steps and ramp."},
    "--base-users": {"type": int, "default": 1, "help": "Users before and after a spike."},
    "--slo": {
        "default": SLO,
        "help": "What ends a ramp: bounds on percentiles and on the share of errors.",
    },
    "--api-key-file": {
        "default": "", "include_in_web_ui": False,  # whoever sees the page would see the path
        "help": "File with the key of a service that asks for one; else STRIDE_API_KEY.",
    },
}  # fmt: skip


def add_arguments(parser: "LocustArgumentParser") -> None:
    """Beside those of locust itself."""
    for flag, named in _ARGUMENTS.items():
        parser.add_argument(flag, **named)


@dataclass(frozen=True)
class Options:
    """Read and checked; `mix` has the weights of the users that there are."""

    model: str
    mix: Mapping[str, int]
    batch_sizes: tuple[int, ...]
    pictures: tuple[str, ...]
    bodies: int
    compare_models: str
    user_rate: float
    api_key: str | None


def read_options(parsed: Any) -> Options:
    """Of what locust has parsed. Raises InputError for what cannot be meant."""
    sizes = tuple(dict.fromkeys(int(size) for size in parsed.batch_size))
    pictures = tuple(dict.fromkeys(parsed.picture))
    _require(sizes, BATCH_SIZES, "batch size")
    _require(pictures, tuple(PICTURES), "picture")
    if not 0.0 <= parsed.user_rate <= 1e5:
        raise InputError(f"user rate is {parsed.user_rate}, expected 0 to 100,000 requests/s")
    if parsed.bodies < 1:
        raise InputError(f"bodies are {parsed.bodies}, expected 1 or more")
    return Options(
        model=parsed.model.strip(),
        mix=read_mix(parsed.mix),
        batch_sizes=sizes,
        pictures=pictures,
        bodies=parsed.bodies,
        compare_models=parsed.compare_models.replace(" ", "").strip(","),
        user_rate=parsed.user_rate,
        api_key=read_api_key(Path(parsed.api_key_file) if parsed.api_key_file else None),
    )


def read_mix(text: str) -> dict[str, int]:
    """`pictures=2,pixels=1` as weights of those above 0. Raises InputError for anything else."""
    mix: dict[str, int] = {}
    for term in filter(None, (each.strip() for each in text.split(","))):
        name, _, weight = (part.strip() for part in term.partition("="))
        if name not in USERS or name in mix or not weight.isdecimal() or int(weight) > 1_000:
            raise InputError(
                f"mix {text!r}: {term!r} is not understood, expected {', '.join(USERS)}, each at "
                f"most once and with a weight from 0 to 1,000, such as {MIX}"
            )
        mix[name] = int(weight)
    if not any(mix.values()):
        raise InputError(f"mix {text!r} leaves nobody to ask for anything, expected e.g. {MIX}")
    return {name: weight for name, weight in mix.items() if weight}


def read_plan(parsed: Any) -> Plan:
    """The shape that was asked for. Raises InputError for what cannot be meant."""
    users = parsed.num_users or 1
    for name, value in (("steps", parsed.steps), ("base users", parsed.base_users)):
        if not 1 <= value <= 100_000:
            raise InputError(f"{name} is {value}, expected 1 to 100,000")
    if parsed.shape not in SHAPES:
        raise InputError(f"shape is {parsed.shape!r}, expected one of {', '.join(SHAPES)}")
    bounds = slo.parse(parsed.slo)
    if bounds.throughput is not None:
        raise InputError(
            f"SLO {parsed.slo!r}: throughput grows with the users of a ramp, so it cannot end one; "
            "leave it out"
        )
    return make_plan(
        cast(Shape, parsed.shape),
        users=users,
        seconds=parsed.run_time,
        steps=parsed.steps,
        base_users=parsed.base_users,
        slo=bounds,
    )


def _require(found: tuple[Any, ...], known: tuple[Any, ...], name: str) -> None:
    if not found or set(found) - set(known):
        raise InputError(
            f"{name} is {', '.join(map(str, found)) or 'not given'}, expected one or more of "
            f"{', '.join(map(str, known))}"
        )
