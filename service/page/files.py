"""The page's files, read once: what has a type listed below is served, nothing else."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = "/"
PREFIX = "/page/"
SETTINGS = f"{PREFIX}settings.json"
"""What the page has to know of the service's settings, made when the service starts."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}


@dataclass(frozen=True)
class PageFile:
    """One answer of the page; `tag` is its strong ETag, quotes included."""

    content: bytes
    media_type: str
    tag: str


def page_file(content: bytes, media_type: str) -> PageFile:
    return PageFile(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def _address(path: Path) -> str:
    name = path.relative_to(FOLDER).as_posix()
    return ROOT if name == "index.html" else PREFIX + name


_PATHS = {_address(path): path for path in sorted(FOLDER.rglob("*")) if path.suffix in _TYPES}

ADDRESSES = frozenset({*_PATHS, SETTINGS})
"""Every address of the page. They are the same for everybody, so none asks for a key."""


@cache
def page_files() -> dict[str, PageFile]:
    """By address; all but the settings."""
    return {
        address: page_file(path.read_bytes(), _TYPES[path.suffix])
        for address, path in _PATHS.items()
    }
