"""The secret that opens what changes the service: `--model-control` and where its token is."""

import re
from collections.abc import Mapping

from measuring.errors import InputError
from service.keys import Token
from service.settings import Settings

VARIABLE = "STRIDE_ADMIN_TOKEN"
PURPOSE = "changing which models are served"
_TOKEN = re.compile(r"[!-~]{16,512}")
_EXPECTED = (
    "expected 16 to 512 printable ASCII characters without spaces; make one with: "
    "openssl rand -hex 24"
)


def admin_token(settings: Settings, environment: Mapping[str, str]) -> Token | None:
    """From the file, else from the environment; None where models are not to be changed.

    Raises InputError where they are to be and there is no token fit for it, or where a file is
    named and they are not; never with a token in its message.
    """
    file = settings.admin_token_file
    if not settings.model_control:
        if file is not None:
            raise InputError(
                "--admin-token-file is given without --model-control, which is what it is for; "
                "give both or neither"
            )
        return None
    if file is not None:
        try:
            return _token(file.read_text(encoding="utf-8").strip(), f"--admin-token-file {file}")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise InputError(
                f"--admin-token-file {file} cannot be read: {reason}; {_EXPECTED}"
            ) from error
    secret = environment.get(VARIABLE, "")
    if not secret:
        raise InputError(
            f"--model-control needs an admin token: name its file with --admin-token-file, or set "
            f"{VARIABLE}"
        )
    return _token(secret, VARIABLE)


def _token(secret: str, where: str) -> Token:
    if _TOKEN.fullmatch(secret):
        return Token.of(secret, PURPOSE)
    raise InputError(f"{where} has {len(secret)} characters that make no token; {_EXPECTED}")
