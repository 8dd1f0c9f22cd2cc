"""From what was counted to what became of a load."""

from loadtest.load import Load
from loadtest.objections import objections
from loadtest.outcome import Generator, Outcome, Second
from loadtest.prepared import Prepared
from loadtest.tally import Moment, Tally
from measuring.record import now


def outcome_of(prepared: Prepared, load: Load, tally: Tally, *, started: str) -> Outcome:
    """From what was counted, ending now."""
    stages = {name: recorder.latencies() for name, recorder in tally.stages.items()}
    return Outcome(
        target=prepared.target,
        load=load,
        model=prepared.model,
        started=started,
        ended=now(),
        due=tally.due,
        sent=tally.sent,
        ok=tally.ok,
        dropped=tally.dropped,
        answered=tally.answered,
        errors=dict(tally.errors.most_common()),
        examples=tally.examples,
        latency=tally.latency.latencies(),
        service_time=tally.service_time.latencies(),
        stages={name: found for name, found in stages.items() if found is not None},
        generator=Generator(
            cpu=tuple(tally.cpu),
            late=tally.late,
            lag=tally.lag.latencies(),
            opened=tally.opened,
            lost=tally.lost,
        ),
        timeline=_timeline(tally),
        invalid=objections(load, tally),
        notes=prepared.notes,
    )


def _timeline(tally: Tally) -> tuple[Second, ...]:
    """Every second, those in which nothing was due, too."""
    last = max(tally.timeline, default=-1)
    moments = (tally.timeline.get(second, Moment()) for second in range(last + 1))
    return tuple(
        Second(moment.sent, moment.ok, moment.failed, moment.slowest) for moment in moments
    )
