"""Hands cores to the models in turn, when all their instances together ask for more than there are.

Start-time fair queueing (Goyal, Vin, Cheng 1996) over core-seconds: whoever has used least goes
first. A model that was idle begins where the others are now, so idling saves up no credit. As long
as there are cores for everybody, nothing is asked and nothing counted.
"""

import threading
from collections import deque
from dataclasses import dataclass, field


@dataclass(eq=False)
class Share:
    """One model's part: `threads` of each of its `instances`, and the core-seconds it has used,
    counted from where the least busy one stood when it came."""

    gate: "CoreGate"
    threads: int
    instances: int
    used: float = 0.0
    running: int = 0
    waiting: deque["Turn"] = field(default_factory=deque)

    def ask(self, seconds: float) -> "Turn | None":
        """For an instance of this model that wants to run for about so many seconds: a turn to
        wait for. None where there are cores for everybody."""
        return self.gate.ask(self, seconds) if self.gate.contended else None

    def close(self) -> None:
        """It will not ask any more."""
        self.gate.leave_for_good(self)


@dataclass(eq=False, slots=True)
class Turn:
    """The right to run, once `wait` has returned; given back by `end`."""

    share: Share
    charged: float
    ended: bool = False
    _bell: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._bell.acquire()

    def grant(self) -> None:
        self._bell.release()

    def wait(self) -> None:
        """Blocks until the instance may run."""
        self._bell.acquire()

    def end(self, seconds: float, *, again: float | None = None) -> "Turn | None":
        """So many seconds it really took. `again`: the instance wants to run again for about so
        long; asked in one step with the end, or whoever waits would always come first. Nothing
        happens where it was given back before, since the engine hung."""
        return self.share.gate.end(self, seconds, again)


class CoreGate:
    """One for all models of the process. An instance that needs more threads than are free may
    start as soon as one is: to wait for all of them would leave cores idle."""

    def __init__(self, cores: int) -> None:
        self._lock = threading.Lock()
        self._cores = cores
        self._free = cores
        self._now = 0.0
        self._shares: list[Share] = []
        self.contended = False

    def join(self, *, threads: int, instances: int) -> Share:
        """A model comes."""
        share = Share(self, threads, instances)
        with self._lock:
            self._shares.append(share)
            self._weigh()
        return share

    def leave_for_good(self, share: Share) -> None:
        with self._lock:
            if share in self._shares:
                self._shares.remove(share)
            self._weigh()

    def ask(self, share: Share, seconds: float) -> Turn:
        """See `Share.ask`; here it is always counted."""
        with self._lock:
            turn = self._queue(share, seconds)
            self._hand_out()
        return turn

    def end(self, turn: Turn, seconds: float, again: float | None) -> Turn | None:
        """See `Turn.end`. What the model was charged is set right."""
        share = turn.share
        with self._lock:
            if turn.ended:
                return None
            turn.ended = True
            self._free += share.threads
            share.used += seconds * share.threads - turn.charged
            new = None if again is None else self._queue(share, again)
            share.running -= 1
            self._hand_out()
        return new

    def _queue(self, share: Share, seconds: float) -> Turn:
        if not share.waiting and not share.running:
            share.used = max(share.used, self._now)
        turn = Turn(share, seconds * share.threads)
        share.waiting.append(turn)
        return turn

    def _hand_out(self) -> None:
        while self._free > 0:
            hungry = [share for share in self._shares if share.waiting]
            if not hungry:
                return
            share = min(hungry, key=lambda share: share.used)
            turn = share.waiting.popleft()
            self._now = max(self._now, share.used)
            share.used += turn.charged
            share.running += 1
            self._free -= share.threads
            turn.grant()

    def _weigh(self) -> None:
        asked = sum(share.threads * share.instances for share in self._shares)
        self.contended = len(self._shares) > 1 and asked > self._cores
