"""The Dockerfile as its stages and instructions, and the context that it is built from."""

import shlex
import subprocess
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Instruction:
    word: str
    rest: str

    def words(self) -> list[str]:
        return shlex.split(self.rest)


@dataclass(frozen=True)
class Stage:
    """`parent`: the stage or image that it begins with."""

    name: str
    parent: str
    instructions: tuple[Instruction, ...]

    def all(self, word: str) -> list[Instruction]:
        return [each for each in self.instructions if each.word == word]


def stages() -> dict[str, Stage]:
    """By name, in order."""
    found: dict[str, Stage] = {}
    name, parent, instructions = "", "", list[Instruction]()
    for instruction in (*_instructions(), Instruction("FROM", "end AS end")):
        if instruction.word != "FROM":
            instructions.append(instruction)
            continue
        if name:
            found[name] = Stage(name, parent, tuple(instructions))
        parent, _, name = instruction.rest.split()
        instructions = []
    return found


def lineage(name: str) -> list[Stage]:
    """The stage and those it begins with, the first one first."""
    known = stages()
    line: list[Stage] = []
    while name in known:
        line.insert(0, known[name])
        name = known[name].parent
    return line


def _instructions() -> list[Instruction]:
    lines = (line for line in TEXT.splitlines() if not line.lstrip().startswith("#"))
    whole = "\n".join(lines).replace("\\\n", " ")
    split = (line.split(maxsplit=1) for line in whole.splitlines() if line.strip())
    return [Instruction(word, " ".join(rest.split())) for word, rest in split]


def tracked() -> list[str]:
    """Every file of the repository that is committed or staged."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in listed.stdout.split("\0") if name]


def in_context(path: str) -> bool:
    """Whether .dockerignore lets it through: the last pattern that matches it, or a folder that it
    is in, decides."""
    place = PurePosixPath(path)
    candidates = [str(place), *map(str, place.parents)][:-1]
    inside = True
    for pattern in _ignored():
        bare = pattern.removeprefix("!")
        # `*` does not cross a slash, `**/` any number of them.
        matches = any(
            (fnmatch(candidate, bare) and candidate.count("/") == bare.count("/"))
            or (bare.startswith("**/") and fnmatch(candidate.rpartition("/")[2], bare[3:]))
            for candidate in candidates
        )  # fmt: skip
        if matches:
            inside = pattern.startswith("!")
    return inside


def _ignored() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
