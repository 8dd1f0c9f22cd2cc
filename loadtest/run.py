"""A load on a target: bodies made, answers known, processes started, all of it merged."""

from loadtest.account import outcome_of
from loadtest.load import Load, Open
from loadtest.loadgen_server import run_loadgen
from loadtest.outcome import Outcome
from loadtest.prepared import Prepared, prepare
from loadtest.processes import drive
from loadtest.target import Target
from measuring.record import now


def run_load(target: Target, load: Load, *, prepared: Prepared | None = None) -> Outcome:
    """Drive the target; `prepared`: of the same target, where several loads follow each other.

    Raises what `prepare` raises: MissingError where nobody answers and InputError where the service
    does not have the model or refuses the body; MissingError, too, where LoadGen is to say when
    requests are due and is not installed. What goes wrong under load is counted.
    """
    ready = prepared or prepare(target, seed=load.seed)
    if isinstance(load.traffic, Open) and load.traffic.arrivals == "loadgen":
        return run_loadgen(ready, load)
    started = now()
    tally = drive(ready, load)
    return outcome_of(ready, load, tally, started=started)
