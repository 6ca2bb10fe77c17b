"""`check`: every check once, for people, cron and CI."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from prometheus_client import CollectorRegistry
from rich.text import Text

from checks.census import Census
from checks.judgement import Outcome
from exporters.http import responses
from exporters.prometheus import create_registry
from exporters.push.otlp import OtlpPush
from exporters.push.pushgateway import TIMEOUT_SECONDS, Group, write_textfile
from monitor.checking.once import check_names, check_once
from monitor.cli.output import (
    console,
    duration,
    moment,
    number,
    print_json,
    print_table,
    print_text,
)
from monitor.cli.session import AsJson, run_session, settings_of
from monitor.config import Mode, Settings
from monitor.status import CheckResult, Status

EXIT_CODES = {Outcome.ERROR: 3, Outcome.FAIL: 1, Outcome.WARN: 2}
"""The worst outcome decides, in this order."""

_STYLES = {
    Outcome.PASS: "green",
    Outcome.WARN: "yellow",
    Outcome.FAIL: "bold red",
    Outcome.ERROR: "bold magenta",
    Outcome.SKIPPED: "dim",
}
_WRONG = (Outcome.WARN, Outcome.FAIL, Outcome.ERROR)

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
    as_json: AsJson = False,
) -> int:
    """Run every check once.

    Exit 3 when a check could not be evaluated, else 1 when one failed, else 2 for warnings, else 0.

    Example: conservator check census pool_exhaustion --textfile /var/lib/node/conservator.prom
    """
    settings = settings_of(context)
    wanted = _wanted(settings, names or [])
    group = _push_target(pushgateway, push_group or [], delete=push_delete)
    started = time.perf_counter()
    board = run_session(context, lambda one: check_once(one.engine, one.settings, wanted))
    status = board.current
    registry = create_registry(board, observe=settings.healing.mode is Mode.OBSERVE, process=False)
    code = _exit_code(status)
    if textfile is not None:
        write_textfile(registry, textfile)
    if group is not None:
        group.delete() if push_delete and code == 0 else group.replace(registry)
    if otlp is not None:
        _push_once(registry, otlp, status.version)
    if as_json:
        print_json(_as_answer(status))
    else:
        _print_checks(status)
        console.print(f"took {duration(time.perf_counter() - started)}", style="dim")
    return code


def _as_answer(status: Status) -> dict[str, object]:
    """The results as the API tells them."""
    results = responses.CheckResult.all_of(status, time.monotonic())
    return {
        "checks": [result.model_dump(mode="json") for result in results],
        "census": status.census,
        "suspicions": status.examination.suspicion_names,
    }


def _push_once(registry: CollectorRegistry, url: str, version: str) -> None:
    push = OtlpPush(
        registry,
        url,
        instance=socket.gethostname(),
        version=version,
        timeout_seconds=TIMEOUT_SECONDS,
    )
    push.push()
    push.close()


def _wanted(settings: Settings, names: list[str]) -> tuple[str, ...]:
    """All checks, or those that are named. Raises typer.BadParameter."""
    known = check_names(settings)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise typer.BadParameter(
            f"no check of the configuration is called {', '.join(unknown)}, or it is disabled;"
            f" expected {', '.join(known)}"
        )
    return tuple(name for name in known if not names or name in names)


def _exit_code(status: Status) -> int:
    outcomes = {one.outcome for one in status.checks.values()}
    return next((code for outcome, code in EXIT_CODES.items() if outcome in outcomes), 0)


def _push_target(url: str | None, labels: list[str], *, delete: bool) -> Group | None:
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


def _print_checks(status: Status) -> None:
    print_table(
        status.checks.values(),
        {
            "check": lambda one: one.name,
            "outcome": _outcome,
            "value": lambda one: number(None if one.outcome is Outcome.ERROR else one.value),
            "threshold": _threshold,
            "since": lambda one: (
                "" if one.since is None else moment(datetime.fromtimestamp(one.since, UTC))
            ),
            "took": lambda one: (
                "" if one.duration_seconds is None else duration(one.duration_seconds)
            ),
        },
        numbers=("value",),
    )
    told: dict[object, list[CheckResult]] = {}
    for one in status.checks.values():
        if one.outcome in _WRONG:
            # What keeps a suite from running is one reason, however many expectations it has.
            alike = one.message if one.outcome is Outcome.ERROR else one.name
            told.setdefault(alike, []).append(one)
    for first, *others in told.values():
        _print_details(first, others)
    if status.census is not None:
        _print_census(status, status.census)


def _outcome(one: CheckResult) -> Text:
    outcome = one.outcome or Outcome.ERROR
    return Text(outcome.value, style=_STYLES[outcome])


def _threshold(one: CheckResult) -> str:
    """The condition that was met, or else those that weren't."""
    facts = one.facts
    if one.outcome is Outcome.FAIL and facts.fail is not None:
        return facts.fail
    if one.outcome is Outcome.WARN and facts.warn is not None:
        return facts.warn
    told = {"warn": facts.warn, "fail": facts.fail}
    return ", ".join(f"{word} {text}" for word, text in told.items() if text is not None)


def _print_details(one: CheckResult, others: Sequence[CheckResult]) -> None:
    console.print()
    outcome = one.outcome or Outcome.ERROR
    more = f" and {len(others)} more" if others else ""
    console.print(Text.assemble((one.name, _STYLES[outcome]), more, ": ", one.message))
    for label, text in (("owner", one.facts.owner), ("runbook", one.facts.runbook)):
        if text:
            console.print(Text(f"  {label}: {text}"))
    for row in one.evidence:
        line = ", ".join(f"{key} {value}" for key, value in row.items())
        console.print(Text(f"  {line}", style="dim"))


def _print_census(status: Status, census: Census) -> None:
    console.print()
    console.print(
        f"tracked {number(census.tracked)}, fresh {number(census.fresh)},"
        f" storage {number(census.storage)},"
        f" legacy_untracked {number(census.legacy_untracked)}"
        f" (aged {number(census.aged)}, appeared {number(census.appeared)})"
    )
    users = status.users
    if users is not None:
        console.print(
            f"users: {number(users.affected)} affected, {number(users.clear)} clear,"
            f" {number(census.untracked_users)} untracked"
        )
    if status.examination.suspicions:
        print_text(status.examination.suspicion, style="bold red")
