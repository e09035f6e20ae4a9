"""The command line. Each command is one function in a file of its own; nothing heavy is imported at start.

Exit codes: 0 built and verified · 1 an error the user can fix · 2 usage · 3 not verified · 4 a limit was reached
(resumable) · 5 stopped by the reviewer · 130 interrupted (saved).
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import gc
import importlib
import io
import sys
from collections.abc import Callable

import click

from chatdev import __version__
from chatdev.cli.common import command_name, fail
from chatdev.errors import Stop, UserError

PATIENCE = 50_000
"""New objects between two looks for garbage. What an import makes stays, and Python looks at it again and again by
itself (`llm.local.lean` has torch's left alone for good)."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""What a disk says that takes no more."""
COMMANDS = {
    "run": "chatdev.cli.run",
    "resume": "chatdev.cli.run",
    "check": "chatdev.cli.company",
    "schema": "chatdev.cli.company",
    "list": "chatdev.cli.products",
    "show": "chatdev.cli.products",
    "replay": "chatdev.cli.replay",
    "export": "chatdev.cli.export",
    "fork": "chatdev.cli.branch",
    "diff": "chatdev.cli.branch",
    "undo": "chatdev.cli.branch",
    "test": "chatdev.cli.proof",
    "start": "chatdev.cli.proof",
    "sandbox": "chatdev.cli.proof",
    "studio": "chatdev.cli.studio",
    "doctor": "chatdev.cli.doctor",
    "bench": "chatdev.cli.bench",
    "distill": "chatdev.cli.distill",
}
"""Every command and the module that holds it; a module is imported when its command is used."""


class LazyGroup(click.Group):
    """Imports a command's module when it is asked for, and takes `run` for granted: `run.py --task …` runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name])
        found: click.Command = getattr(module, f"{cmd_name}_command")
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f'Did you mean "{near[0]}"?' if near else f"Commands: {', '.join(COMMANDS)}."
            raise click.UsageError(f'No such command "{args[0]}". {hint}', ctx)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] not in ("--help", "-h", "--version"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(__version__, message="%(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """A software company of language-model agents that builds, runs and proves software.

    Without a command, `run` is meant:  --task "build a snake game"
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> None:
    """Run the command line and exit with the code the design promises."""
    gc.set_threshold(PATIENCE)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # An emoji in a reply must never end a run because of the console's code page.
            with contextlib.suppress(ValueError):
                stream.reconfigure(encoding="utf-8", errors="replace")
    sys.exit(ended(lambda: cli.main(prog_name=command_name(), standalone_mode=False)))


def ended(command: Callable[[], object]) -> int:
    """Run a command to its end and return the code the design promises; errors that a user can mend are printed."""
    try:
        code = command()
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except UserError as error:
        code = fail(error)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            sys.stderr.close()
            code = 0
        elif error.errno in FULL:
            text = error.strerror or str(error)
            code = fail(UserError(text, where=str(error.filename or ""), fix="Mend that, then do the same again"))
        else:
            raise
    except Stop as stop:
        click.echo(stop.reason, err=True)
        code = stop.exit_code
    except KeyboardInterrupt:
        code = 130
    return code if isinstance(code, int) else 0
