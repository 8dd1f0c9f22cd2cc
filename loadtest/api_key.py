"""The key of a service that asks for one: from a file or the environment, never from a command
line, which everybody on the machine can read."""

import os
from pathlib import Path

from measuring.errors import InputError

VARIABLE = "STRIDE_API_KEY"


def read_api_key(path: Path | None) -> str | None:
    """Of the file, else of the environment; None where there is none. Raises InputError for a file
    without a key, and for what cannot stand in a header."""
    if path is None:
        key, source = os.environ.get(VARIABLE, "").strip(), VARIABLE
    else:
        try:
            key, source = path.read_text(encoding="utf-8").strip(), f"--api-key-file {path}"
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise InputError(
                f"--api-key-file {path} cannot be read: {reason}; expected a file with one API key "
                f"and nothing else, or the key in {VARIABLE}"
            ) from error
        if not key:
            raise InputError(f"--api-key-file {path} is empty, expected one API key")
    if not (key.isascii() and key.isprintable()):
        raise InputError(f"{source} has characters that no key has; expected printable ASCII")
    return key or None
