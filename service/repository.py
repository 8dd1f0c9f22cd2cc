"""The folder that models come from: which of its artifacts are served, and how."""

import os
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from inference.artifact import Artifact, Found, find_artifacts, named_artifact
from inference.manifest import MANIFEST
from measuring.errors import InputError
from service.floor import NULL, SUFFIX, is_floor
from service.loading import Chosen, choose
from service.preference import AUTO, prefer
from service.settings import ModelSpec, Settings


class Repository:
    """What `--repository`, `--model` and `--profiles` say together.

    Everything but `ids` and `signature` reads whole files and belongs into a thread.
    """

    def __init__(self, settings: Settings) -> None:
        self.directory: Path = settings.repository
        self.queue_capacity = settings.limits.queue_capacity
        self._profiles = settings.profiles
        self._specs = settings.models

    def chosen(self) -> tuple[Chosen, ...]:
        """What to serve from the start. Raises as `loading.choose` and `preference.prefer` do."""
        return prefer(choose(self.directory, self._specs), self._profiles)

    def named(self, name: str) -> Chosen:
        """The artifact with this id, plain name or alias of a `--model`, to be run as that said,
        where it did.

        Raises InputError for one that is not there, ArtifactError for a damaged one.
        """
        told = next((spec for spec in self._specs if spec.alias == name), None)
        if told is not None:
            identity, floor = told.id, is_floor(told)
        else:
            identity, floor = name.removesuffix(SUFFIX), name.endswith(SUFFIX)
            if floor and not (self.directory / identity).is_dir():
                identity, floor = name, False
        artifact = named_artifact(self.directory, identity)
        spec = self._spec(artifact, floor=floor)
        (chosen,) = prefer([Chosen.of(artifact, spec)], self._profiles)
        return chosen

    def wanted(self, artifacts: Sequence[Artifact], served: AbstractSet[str]) -> tuple[Chosen, ...]:
        """Those to be served: what `--model` named, or all where it named none, and `served`."""
        names = [artifact.manifest.name for artifact in artifacts]
        chosen = []
        for floor in (False, True):
            asked = {spec.id for spec in self._specs if is_floor(spec) is floor}
            for artifact, name in zip(artifacts, names, strict=True):
                candidate = Chosen.of(artifact, self._spec(artifact, floor=floor))
                if (
                    not (self._specs or floor)
                    or candidate.artifact.manifest.id in served
                    or artifact.manifest.id in asked
                    or (name in asked and names.count(name) == 1)
                ):
                    chosen.append(candidate)
        return prefer(chosen, self._profiles)

    def found(self) -> tuple[Found, ...]:
        """Every artifact, read and checked. Raises InputError where the folder is gone: that is
        no reason to switch everything off."""
        if not self.directory.is_dir():
            raise InputError(
                f"the repository {self.directory} is not there; expected a folder of artifacts"
            )
        return find_artifacts(self.directory)

    def _spec(self, artifact: Artifact, *, floor: bool) -> ModelSpec:
        own = {artifact.manifest.id, artifact.manifest.name}
        return next(
            (spec for spec in self._specs if spec.id in own and is_floor(spec) is floor),
            ModelSpec(artifact.manifest.id, runtime=NULL if floor else AUTO),
        )

    def ids(self) -> tuple[str, ...]:
        """The directories that have a manifest, whole or not; a quick look."""
        return tuple(sorted(path.parent.name for path in self.directory.glob(f"[!.]*/{MANIFEST}")))

    def signature(self) -> tuple[tuple[str, str, int, int, int], ...]:
        """What changes when a file of an artifact comes, changes or goes; a quick look. Of the
        other files, too, since they may come after the manifest: then it is whole only with the
        last of them."""
        entries = []
        for identity in self.ids():
            try:
                with os.scandir(self.directory / identity) as files:
                    for file in files:
                        status = file.stat()
                        kept = (status.st_mtime_ns, status.st_ino, status.st_size)
                        entries.append((identity, file.name, *kept))
            except OSError:  # it went since
                continue
        return tuple(sorted(entries))
