"""What is served now, under which names, and what is known of the rest of the repository.

Used on the event loop alone. Every change is one step there, so that a request finds a model
before or after it and never in between.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from service.batcher import Batcher
from service.loading import Loaded, Named, names
from service.seam import Entry, ModelInfo
from service.statistics import Statistics

log = logging.getLogger("stride.load")

UNLOADED = "unloaded"
"""Why a model is not served that was unloaded on demand."""


@dataclass
class Served:
    """A model that answers; `alias` is the one it was given by `--model`."""

    info: ModelInfo
    batcher: Batcher
    statistics: Statistics
    alias: str | None = None


@dataclass
class Lineup:
    """`served` by id, in the order they came; `statistics` outlive what they count.

    `infos`: of all that is served; `notes`: why a model is not served, or what failed last while it
    is; `loading`: ids being opened; `switched_off`: ids that a reload leaves alone, since they were
    unloaded on demand.
    """

    served: dict[str, Served] = field(default_factory=dict)
    statistics: dict[str, Statistics] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    loading: set[str] = field(default_factory=set)
    switched_off: set[str] = field(default_factory=set)
    infos: tuple[ModelInfo, ...] = ()

    def switch(self, loaded: Loaded, start: Callable[[Statistics], Batcher]) -> Batcher | None:
        """Serve this from now on; what served under its id until now is returned, to be drained."""
        identity = loaded.info.id
        self.check(identity, loaded.info.manifest.name, loaded.alias)
        totals = self.statistics.setdefault(identity, Statistics())
        old = self.served.get(identity)
        self.served[identity] = Served(loaded.info, start(totals), totals, loaded.alias)
        self.notes.pop(identity, None)
        self.switched_off.discard(identity)
        self._rename()
        return old.batcher if old else None

    def sound(self, identity: str) -> None:
        """Its artifact is as it was when it was opened, whatever was wrong with it in between."""
        if identity in self.served:
            self.notes.pop(identity, None)

    def remove(self, identity: str, reason: str) -> Batcher:
        """Serve it no longer; returned to be drained."""
        gone = self.served.pop(identity)
        self.notes[identity] = reason
        self._rename()
        return gone.batcher

    def check(self, identity: str, name: str, alias: str | None) -> None:
        """Raises InputError if the model's names are taken by others."""
        others = [named for named in self._named() if named.id != identity]
        names([*others, Named(identity, name, alias)])

    def find(self, name: str) -> str | None:
        """The id of the model with this id or alias."""
        if name in self.served:
            return name
        return next((id_ for id_, s in self.served.items() if name in s.info.aliases), None)

    def entries(self, repository: Sequence[str]) -> tuple[Entry, ...]:
        """One for every id in the repository, served, loading or once tried."""
        known = {*repository, *self.served, *self.loading, *self.notes}
        return tuple(self._entry(identity) for identity in sorted(known))

    def _entry(self, identity: str) -> Entry:
        note = self.notes.get(identity, "")
        served = self.served.get(identity)
        if served is None:
            if identity in self.loading:
                return Entry(identity, "LOADING")
            return Entry(identity, "UNAVAILABLE", note or "not loaded")
        unready = served.batcher.unready
        return Entry(identity, "UNAVAILABLE" if unready else "READY", unready or note)

    def _named(self) -> list[Named]:
        return [Named(i, s.info.manifest.name, s.alias) for i, s in self.served.items()]

    def _rename(self) -> None:
        """A plain name is an alias only where one model has it, which each change may change."""
        aliases = names(self._named())
        for identity, served in self.served.items():
            own = tuple(alias for alias, id_ in aliases.items() if id_ == identity)
            if own != served.info.aliases:
                log.info("names model=%s aliases=%s", identity, ",".join(own))
                served.info = replace(served.info, aliases=own)
        self.infos = tuple(served.info for served in self.served.values())
