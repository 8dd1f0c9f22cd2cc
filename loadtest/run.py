"""A load on a target: bodies made, answers known, processes started, all of it merged."""

from loadtest.load import Load
from loadtest.outcome import Outcome
from loadtest.prepared import Prepared
from loadtest.target import Target


def run_load(target: Target, load: Load, *, prepared: Prepared | None = None) -> Outcome:
    """Drive the target; `prepared`: of the same target, where several loads follow each other.

    Raises MissingError where nobody answers and InputError where the service does not have the
    model or refuses the body: what `prepare` raises. What goes wrong under load is counted.
    """
    raise NotImplementedError
