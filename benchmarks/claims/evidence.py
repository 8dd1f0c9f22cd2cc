"""The records that claims are judged by, found by what they are records of."""

from collections.abc import Mapping, Sequence

from benchmarks.contrasts import seconds_of, time_ratio
from measuring.bootstrap import Interval
from measuring.record import Measurement, Scalar

NETWORK = "claim network"
MEMORY = "claim memory"
FIT = "claim fit"
STAGE = "claim stage"
CENTRES = "claim filter centres"
SIMILARITY = "claim similarity"


class Evidence:
    """All records at hand, of one machine."""

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self.measurements = tuple(measurements)

    def find(self, name: str, **settings: Scalar) -> list[Measurement]:
        """Every record of that name with just these settings, in order."""
        wanted = settings.items()
        return [m for m in self.measurements if m.name == name and wanted <= m.settings.items()]

    def runtimes(self, name: str, device: str = "cpu") -> tuple[str, ...]:
        """Those that records of that name are from."""
        found = self.find(name, device=device)
        return tuple(dict.fromkeys(str(m.settings["runtime"]) for m in found))

    def operator(self, operator: str, runtime: str, **where: Scalar) -> Measurement | None:
        """The record of an operator or block; `where`: table, channels, device."""
        return _last(self.find("operator", operator=operator, runtime=runtime, **where))

    def network(self, network: str, runtime: str, **where: Scalar) -> Measurement | None:
        """The record of a network."""
        return _last(self.find(NETWORK, network=network, runtime=runtime, **where))

    def times(self, network: str, base: str, runtime: str, device: str = "cpu") -> Interval | None:
        """How many times as long as `base` a network takes, where they were timed together; None
        where they were not. A network may have been in several contests."""
        records = self.find(NETWORK, network=network, runtime=runtime, device=device)
        found = [ratio for record in records if (ratio := time_ratio(record, base))]
        return found[-1] if found else None


def _last(found: Sequence[Measurement]) -> Measurement | None:
    return found[-1] if found else None


def ratio(measured: Measurement | None, base: str) -> Interval | None:
    """How many times as long as `base` it takes; None where either was not measured."""
    return None if measured is None else time_ratio(measured, base)


def seconds(measured: Measurement | None) -> Interval | None:
    """The median call; None where there is none."""
    return None if measured is None else seconds_of(measured)


def value(measured: Measurement, setting: str) -> float:
    """A setting that is a number."""
    return float(str(measured.settings[setting]))


def text(settings: Mapping[str, Scalar], key: str) -> str:
    """A setting in words."""
    return str(settings[key])
