"""The program: its options, its commands, and how it ends.

Every error is one sentence on standard error, with the exit code that the contract gives it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from checks.errors import ConservatorError
from monitor.cli.lazy import LazyGroup
from monitor.cli.logs import configure_logs
from monitor.cli.session import DEFAULT_CONFIG, settings_of
from monitor.cli.signals import run_service

USAGE = 64
SOFTWARE = 70
INTERRUPTED = 130
DEBUG = "CONSERVATOR_DEBUG"
"""Set to anything, errors that nobody foresaw show where they come from."""

STEPS_WITHOUT: tuple[tuple[str, str], ...] = (
    ("demo", "the whole service on a sample gallery; needs nothing, leaves nothing"),
    ("discover --url postgresql://…", "read your database, and propose a config.yaml"),
)
STEPS_WITH: tuple[tuple[str, str], ...] = (
    ("doctor", "what blocks counting or healing, and what mends it"),
    ("check", "every check once: the counts"),
    ("heal --dry-run", "what a run would write"),
    ("serve", "the service; in mode observe it only counts"),
)
"""What a person types first, with what it does; commands that this version has not are left out."""
ALL_COMMANDS = ("--help", "all commands; `conservator COMMAND --help` has an example of each")


def serve(context: typer.Context) -> None:
    """Run the service: scheduler, checks, healing, HTTP. SIGTERM and Ctrl-C end it in order; SIGHUP
    has it read its tokens and certificate again.

    A database that can't be reached is waited for; /readyz says so meanwhile.

    Example: conservator -c /etc/conservator/config.yaml serve
    """
    # Until it can be heard, here too: the file is about to be read anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    configure_logs(logging.INFO)
    settings = settings_of(context)
    # Loaded when there is something to serve: no other command needs HTTP.
    from monitor.cli.serving import serve_until_stopped  # noqa: PLC0415

    run_service(partial(serve_until_stopped, settings, partial(settings_of, context)))


class Commands(LazyGroup):
    """All of them, as `--help` lists them."""

    modules: ClassVar[Mapping[str, str]] = {
        "demo": "monitor.cli.demo",
        "discover": "monitor.cli.discover",
        "serve": "monitor.cli.app",
        "check": "monitor.cli.check",
        "heal": "monitor.cli.heal",
        "undo": "monitor.cli.runs",
        "repair": "monitor.cli.repair",
        "explain": "monitor.cli.explain",
        "runs": "monitor.cli.runs",
        "pause": "monitor.cli.switches",
        "resume": "monitor.cli.switches",
        "reset-breaker": "monitor.cli.switches",
        "init": "monitor.cli.setup",
        "uninstall": "monitor.cli.setup",
        "doctor": "monitor.cli.setup",
        "docs": "monitor.cli.docs",
        "sql": "monitor.cli.explain",
        "config": "monitor.cli.setup",
    }


app = typer.Typer(
    name="conservator",
    cls=Commands,
    help="Finds artworks that an app will show again for ever because their impression is"
    " missing, and repairs them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"conservator {metadata.version('conservator')}\n")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config_file: Annotated[
        Path, typer.Option("-c", "--config", help="The configuration file.", metavar="FILE")
    ] = DEFAULT_CONFIG,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The options before the command."""
    context.obj = config_file


def main() -> None:
    """The entry point: an exit code of the contract, and never a traceback."""
    configure_logs()
    sys.exit(run(lambda: app(standalone_mode=False)))


def run(command: Callable[[], object]) -> int:
    """Run a command to its exit code. No traceback reaches a person."""
    try:
        result = command()
    except typer.Exit as error:
        return error.exit_code
    except typer.Abort:
        return _say("Stopped; nothing was changed. With --yes it does not ask.", INTERRUPTED)
    except typer.TyperException as error:
        return _say(_usage(error), USAGE)
    except ConservatorError as error:
        return _say(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _say("Stopped.", INTERRUPTED)
    except BrokenPipeError:
        # The reader, `head` for one, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _say(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), 1)
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        return _say(
            f"Something went wrong that should not ({type(error).__name__}: {error})."
            f" Set {DEBUG}=1 for the details and report them.",
            SOFTWARE,
        )
    return result if isinstance(result, int) else 0


def first_steps(config_file: Path) -> str:
    """What to type next: depends on whether there is a configuration yet."""
    if config_file.exists():
        begins, steps = f"{config_file} is here. Look, before anything is written:", STEPS_WITH
    else:
        begins, steps = f"There is no {config_file} here. Begin with:", STEPS_WITHOUT
    known = [(line, does) for line, does in steps if line.split()[0] in Commands.modules]
    lines = [f"  conservator {line:<30}  {does}" for line, does in (*known, ALL_COMMANDS)]
    return "\n".join([begins, *lines])


def _usage(error: typer.TyperException) -> str:
    message = error.format_message().strip()
    # Usage errors know their command; others have nothing to point at.
    context = getattr(error, "ctx", None)
    if message.startswith("Usage:"):
        alone = context is not None and context.parent is None
        return f"expected a command.\n\n{first_steps(DEFAULT_CONFIG) if alone else message}"
    hint = f" Try `{context.command_path} --help`." if context is not None else ""
    return f"{message.rstrip('.')}.{hint}"


def _say(sentence: str, code: int) -> int:
    print(f"conservator: {sentence}", file=sys.stderr)  # noqa: T201
    return code
