"""`check`: every check once, for people, cron and CI."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path
from typing import Annotated

import typer
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.judgement import Outcome
from exporters.http import responses
from exporters.otlp.push import OtlpPush
from exporters.prometheus import create_registry
from exporters.pushgateway import TIMEOUT_SECONDS, Group
from exporters.textfile import write_textfile
from monitor.check_once import check_names, check_once
from monitor.cli.check_output import print_checks
from monitor.cli.output import print_json
from monitor.cli.session import settings_of, with_engine
from monitor.config import Mode, Settings
from monitor.status import Status, StatusBoard

EXIT_CODES = {Outcome.ERROR: 3, Outcome.FAIL: 1, Outcome.WARN: 2}
"""The worst outcome decides, in this order."""

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


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
    push_group: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=VALUE",
            help="The Pushgateway's grouping key beside job; default instance=HOSTNAME.",
        ),
    ] = None,
    push_delete: Annotated[
        bool,
        typer.Option(
            "--push-delete",
            help="Delete the group from the Pushgateway where nothing is wrong: only what needs a"
            " look stays there.",
        ),
    ] = False,
    otlp: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Push the metrics to this OpenTelemetry collector."),
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
    group = push_target(pushgateway, push_group or [], delete=push_delete)
    wanted = tuple(name for name in known if not names or name in names)
    started = time.perf_counter()

    async def work(engine: AsyncEngine, settings: Settings) -> tuple[StatusBoard, Settings]:
        return await check_once(engine, settings, wanted), settings

    board, settings = with_engine(context, work)
    status = board.current
    registry = create_registry(board, observe=settings.healing.mode is Mode.OBSERVE, process=False)
    if textfile is not None:
        write_textfile(registry, textfile)
    outcomes = {one.outcome for one in status.checks.values()}
    code = next((code for outcome, code in EXIT_CODES.items() if outcome in outcomes), 0)
    if group is not None and push_delete and code == 0:
        group.delete()
    elif group is not None:
        group.replace(registry)
    if otlp is not None:
        push_once(registry, otlp, status)
    if as_json:
        now = time.monotonic()
        results = [responses.CheckResult.of(one, now) for one in status.checks.values()]
        checks = [result.model_dump(mode="json") for result in results]
        print_json({"checks": checks, "census": status.census})
    else:
        print_checks(status, time.perf_counter() - started)
    return code


def push_target(url: str | None, labels: list[str], *, delete: bool) -> Group | None:
    """Where to push. Raises typer.BadParameter."""
    if url is None:
        if labels or delete:
            raise typer.BadParameter("--push-group and --push-delete: expected with --pushgateway")
        return None
    if not labels:
        return Group(url)
    key: dict[str, str] = {}
    for label in labels:
        name, separator, value = label.partition("=")
        if not separator or not _LABEL.fullmatch(name) or name == "job" or name in key:
            raise typer.BadParameter(
                f"--push-group: expected LABEL=VALUE, each label once and none of them job; found"
                f" {label[:60]!r}"
            )
        key[name] = value
    return Group(url, key)


def push_once(registry: CollectorRegistry, url: str, status: Status) -> None:
    """Push to an OpenTelemetry collector. Raises OtlpError, ConfigurationError."""
    push = OtlpPush(
        registry,
        url,
        instance=socket.gethostname(),
        version=status.version,
        timeout_seconds=TIMEOUT_SECONDS,
    )
    push.push()
    push.close()
