"""Loading beside what serves, switching over in one step, and draining what served before."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from inference.artifact import Artifact
from inference.errors import ArtifactError
from measuring.errors import InputError
from service.batcher import Batcher
from service.floor import with_floors
from service.lineup import UNLOADED, Lineup
from service.loading import Chosen, Loaded, load
from service.model_option import is_name
from service.repository import Repository
from service.seam import Refusal

log = logging.getLogger("stride.load")

T = TypeVar("T")
LONGEST_DRAIN = 60.0
"""Seconds that a removed model is waited for: an engine that hangs must not hold up all changes."""
_ENDING = Refusal("draining", "the service is shutting down", retry_after=1.0)


class Switching:
    """Changes to the lineup, one at a time. `add` puts a loaded model into it, `remove` takes one
    out and returns it to be drained.

    A change once begun is finished even where the one who asked for it goes away: engines that
    were opened are either served or closed.
    """

    def __init__(
        self,
        lineup: Lineup,
        repository: Repository | None,
        add: Callable[[Loaded], None],
        remove: Callable[[str, str], Batcher],
    ) -> None:
        self._lineup = lineup
        self._repository = repository
        self._add = add
        self._remove_from_lineup = remove
        self._ended = False
        self.one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def load(self, name: str) -> Refusal | None:
        return await self._alone(self._load(name))

    async def unload(self, name: str) -> Refusal | None:
        return await self._alone(self._unload(name))

    async def reload(self) -> None:
        await self._alone(self._reload())

    async def open(self, chosen: Chosen, queue_capacity: int) -> bool:
        """Opened in a thread and added; False where the service has ended meanwhile. Raises what
        opening raises."""
        identity = chosen.artifact.manifest.id
        self._lineup.loading.add(identity)
        try:
            loaded = await asyncio.to_thread(load, chosen, queue_capacity)
        finally:
            self._lineup.loading.discard(identity)
        if self._ended:
            for engine in loaded.engines:
                engine.close()
            return False
        self._add(loaded)
        return True

    def retire(self, old: Batcher) -> None:
        """Let it finish what it has admitted."""
        self._keep(old.drain())

    def end(self) -> None:
        """No change begins from now on."""
        self._ended = True

    async def finish(self) -> None:
        """Wait for what was begun."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _alone(self, change: Coroutine[Any, Any, T]) -> T:
        return await asyncio.shield(self._keep(self._in_turn(change)))

    async def _in_turn(self, change: Coroutine[Any, Any, T]) -> T:
        async with self.one_at_a_time:
            return await change

    def _keep(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _load(self, name: str) -> Refusal | None:
        if self._ended:
            return _ENDING
        repository = self._repository
        if repository is None or not is_name(name):
            return Refusal("unknown", f"no artifact {name[:128]!r} is in the repository")
        identity = self._lineup.find(name) or name
        try:
            chosen = await asyncio.to_thread(repository.named, identity)
        except ArtifactError as error:
            self._note(identity, error)
            return Refusal("unavailable", str(error))
        except InputError as error:
            return Refusal("unknown", str(error))
        return await self._try(chosen, repository.queue_capacity)

    async def _try(self, chosen: Chosen, queue_capacity: int) -> Refusal | None:
        """A failure leaves everything as it was, and its reason in the index."""
        manifest = chosen.artifact.manifest
        try:
            self._lineup.check(manifest.id, manifest.name, chosen.spec.alias)
            opened = await self.open(chosen, queue_capacity)
        except Exception as error:  # noqa: BLE001  a runtime may raise anything
            self._note(manifest.id, error)
            return Refusal("unavailable", f"{manifest.id} cannot be loaded: {error}")
        return None if opened else _ENDING

    async def _unload(self, name: str) -> Refusal | None:
        identity = self._lineup.find(name)
        if identity is None:
            return Refusal("unknown", f"model {name[:128]!r} is not loaded")
        await self._remove(identity, UNLOADED)
        self._lineup.switched_off.add(identity)
        return None

    async def _remove(self, identity: str, reason: str) -> None:
        log.info("removed model=%s reason=%s", identity, reason)
        draining = self._keep(self._remove_from_lineup(identity, reason).drain())
        await asyncio.wait({draining}, timeout=LONGEST_DRAIN)

    async def _reload(self) -> None:
        repository = self._repository
        if self._ended or repository is None:
            return
        try:
            found = await asyncio.to_thread(repository.found)
            sound = [entry.artifact for entry in found if isinstance(entry.artifact, Artifact)]
            wanted = await asyncio.to_thread(repository.wanted, sound, set(self._lineup.served))
        except InputError as error:
            log.error("the repository cannot be read again, all goes on as it was: %s", error)
            return
        for entry in found:
            if isinstance(entry.artifact, ArtifactError):
                self._note(entry.id, entry.artifact)
        for chosen in wanted:
            if self._is_due(chosen):
                await self._try(chosen, repository.queue_capacity)
            else:
                self._lineup.sound(chosen.artifact.manifest.id)
        for identity in set(self._lineup.served) - with_floors(entry.id for entry in found):
            await self._remove(identity, "its artifact has vanished from the repository")
        log.info("reloaded models=%s", ",".join(self._lineup.served))

    def _is_due(self, chosen: Chosen) -> bool:
        """Changed since it was opened, or not served though it should be."""
        manifest = chosen.artifact.manifest
        served = self._lineup.served.get(manifest.id)
        if served is None:
            return manifest.id not in self._lineup.switched_off
        return served.info.manifest != manifest

    def _note(self, identity: str, error: Exception) -> None:
        log.warning("not loaded model=%s reason=%s", identity, error)
        self._lineup.notes[identity] = str(error)
