"""The errors a person may meet. Every message says what happened, what was received,
what was expected and what to do.

    StrideError          exit 1, HTTP 500   something of ours went wrong
    ├── InputError       exit 2, HTTP 400   what the user gave is wrong
    ├── MissingError     exit 3, HTTP 503   something needed is absent or cannot be reached
    └── CheckError       exit 1, HTTP 503   a bound or a check failed

Each package derives its own from these; the command line and the HTTP front translate them
in one place each, by `exit_code` and `status`.
"""


class StrideError(Exception):
    """The root: anything that ends in a message instead of a traceback."""

    exit_code = 1
    status = 500


class InputError(StrideError):
    """A file, option, checkpoint or request that cannot be used as given."""

    exit_code = 2
    status = 400


class MissingError(StrideError):
    """A package, file or address that is needed and not there."""

    exit_code = 3
    status = 503


class CheckError(StrideError):
    """A verification whose bound was broken."""

    exit_code = 1
    status = 503
