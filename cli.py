"""The `stride` command: a lazy door. A command's module is imported when it is asked for, and the
errors of all commands become a message and an exit code here.

Exit codes: 0 all well; 1 a bound or check failed; 2 wrong usage or input; 3 something needed is
missing or cannot be reached; 130 interrupted.
"""

import os
import sys
from importlib import import_module

import click

from measuring.errors import StrideError

COMMANDS = (
    *("models", "export", "import", "verify", "serve", "classify", "bench", "roofline"),
    *("operators", "claims", "loadtest", "report", "demo"),
)
_MODULES = {"import": "import_model"}  # where the command's name is a word of Python's
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyGroup(click.Group):
    """Finds a command in `commands/<name>.py`, as the function `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = _MODULES.get(cmd_name, cmd_name)
        command: click.Command = import_module(f"commands.{module}").command
        return command


@click.group(cls=LazyGroup, context_settings=SETTINGS)
@click.version_option(package_name="stride", message="stride %(version)s")
def stride() -> None:
    """From light image backbones to a deployment: export, verify, serve, measure, decide.

    Each step is a command and usable alone. Every command explains itself with --help.

    Exit codes: 0 all well; 1 a bound or check failed; 2 wrong usage or input; 3 something needed
    is missing or cannot be reached; 130 interrupted.
    """


def main() -> None:
    """Entry point of the installed `stride`."""
    # Read when PyTorch's OpenMP starts. Threads that spin while they wait take the cores that
    # others compute on: with one core busy elsewhere, an export takes four times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of one command line; messages go to standard error."""
    try:
        result = stride.main(arguments, prog_name="stride", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except StrideError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    return result if isinstance(result, int) else 0
