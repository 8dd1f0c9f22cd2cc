"""What an artifact was made with, for its manifest."""

import platform
from importlib.metadata import PackageNotFoundError, version


def tool_versions(*packages: str) -> dict[str, str]:
    """Versions of Python, of stride and of those of `packages` that are installed."""
    tools = {"python": platform.python_version()}
    for package in ("stride", *packages):
        try:
            tools[package] = version(package)
        except PackageNotFoundError:
            continue
    return tools
