"""Every error as one sentence on standard error, and the exit code that the contract gives it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import click
import structlog

from checks.errors import ConservatorError

USAGE = 64
INTERRUPTED = 130

log = structlog.get_logger(__name__)


def run(command: Callable[[], object]) -> int:
    """Run a command to its exit code. No traceback reaches a person."""
    try:
        result = command()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        return _say("Stopped; nothing was changed.", INTERRUPTED)
    except click.ClickException as error:
        hint = ""
        if isinstance(error, click.UsageError) and error.ctx is not None:
            hint = f" Try `{error.ctx.command_path} --help`."
        return _say(f"{error.format_message()}{hint}", USAGE)
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
    return result if isinstance(result, int) else 0


def _say(sentence: str, code: int) -> int:
    print(f"conservator: {sentence}", file=sys.stderr)  # noqa: T201
    return code
