"""`check`: every check once, for people, cron and CI."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.judgement import Outcome
from exporters.api import answers
from exporters.prometheus import create_registry
from exporters.pushgateway import push
from exporters.textfile import write_textfile
from monitor.check_once import check_names, check_once
from monitor.cli.check_output import print_checks
from monitor.cli.output import print_json
from monitor.cli.session import settings_of, with_engine
from monitor.config import Mode, Settings
from monitor.status import StatusBoard

EXIT_CODES = {Outcome.ERROR: 3, Outcome.FAIL: 1, Outcome.WARN: 2}
"""The worst outcome decides, in this order."""


def check(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Only these checks; a suite stands for its own."),
    ] = None,
    textfile: Annotated[
        Path | None, typer.Option(help="Write the metrics to this file, atomically.")
    ] = None,
    pushgateway: Annotated[
        str | None, typer.Option(metavar="URL", help="Push the metrics to this Pushgateway.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Run every check once.

    Exit 3 when a check could not be evaluated, else 1 when one failed, else 2 for warnings, else 0.
    """
    known = check_names(settings_of(context))
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise typer.BadParameter(
            f"no check of the configuration is called {', '.join(unknown)}, or it is disabled;"
            f" expected {', '.join(known)}"
        )
    wanted = tuple(name for name in known if not names or name in names)
    started = time.perf_counter()

    async def work(engine: AsyncEngine, settings: Settings) -> tuple[StatusBoard, Settings]:
        return await check_once(engine, settings, wanted), settings

    board, settings = with_engine(context, work)
    status = board.current
    registry = create_registry(board, observe=settings.healing.mode is Mode.OBSERVE, process=False)
    if textfile is not None:
        write_textfile(registry, textfile)
    if pushgateway is not None:
        push(registry, pushgateway, instance=socket.gethostname())
    if as_json:
        now = time.monotonic()
        checks = [answers.check(one, now) for one in status.checks.values()]
        print_json({"checks": checks, "census": status.census})
    else:
        print_checks(status, time.perf_counter() - started)
    outcomes = {one.outcome for one in status.checks.values()}
    return next((code for outcome, code in EXIT_CODES.items() if outcome in outcomes), 0)
