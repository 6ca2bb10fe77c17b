"""Every error as one sentence on standard error, and the exit code that the contract gives it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import typer

from checks.errors import ConservatorError

USAGE = 64
SOFTWARE = 70
INTERRUPTED = 130
DEBUG = "CONSERVATOR_DEBUG"
"""Set to anything, errors that nobody foresaw show where they come from."""


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


def _usage(error: typer.TyperException) -> str:
    message = error.format_message().strip()
    if message.startswith("Usage:"):
        return f"expected a command.\n\n{message}"
    # Usage errors know their command; others have nothing to point at.
    context = getattr(error, "ctx", None)
    hint = f" Try `{context.command_path} --help`." if context is not None else ""
    return f"{message.rstrip('.')}.{hint}"


def _say(sentence: str, code: int) -> int:
    print(f"conservator: {sentence}", file=sys.stderr)  # noqa: T201
    return code
