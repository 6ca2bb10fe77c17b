"""What `check` prints for a person: a line a check, then what is wrong, with examples."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.text import Text

from checks.judgement import Outcome
from monitor.cli.output import console, duration, moment, number, table
from monitor.status import CheckResult, Status

_STYLES = {
    Outcome.PASS: "green",
    Outcome.WARN: "yellow",
    Outcome.FAIL: "bold red",
    Outcome.ERROR: "bold magenta",
    Outcome.SKIPPED: "dim",
}
_WRONG = (Outcome.WARN, Outcome.FAIL, Outcome.ERROR)


def print_checks(status: Status, seconds: float) -> None:
    """The table, the details, the census."""
    shown = table("check", "outcome", "value", "threshold", "since", "took", numbers=("value",))
    for one in status.checks.values():
        shown.add_row(
            Text(one.name),
            _outcome(one),
            Text(_value(one)),
            Text(_threshold(one)),
            Text(_since(one)),
            Text("" if one.duration_seconds is None else duration(one.duration_seconds)),
        )
    console.print(shown)
    for one in status.checks.values():
        if one.outcome in _WRONG:
            _print_details(one)
    _print_census(status)
    console.print(f"took {duration(seconds)}", style="dim")


def _outcome(one: CheckResult) -> Text:
    outcome = one.outcome or Outcome.ERROR
    return Text(outcome.value, style=_STYLES[outcome])


def _value(one: CheckResult) -> str:
    return number(None if one.outcome is Outcome.ERROR else one.value)


def _threshold(one: CheckResult) -> str:
    """The condition that was met, or else those that weren't."""
    facts = one.facts
    if one.outcome is Outcome.FAIL and facts.fail is not None:
        return facts.fail
    if one.outcome is Outcome.WARN and facts.warn is not None:
        return facts.warn
    told = {"warn": facts.warn, "fail": facts.fail}
    return ", ".join(f"{word} {text}" for word, text in told.items() if text is not None)


def _since(one: CheckResult) -> str:
    if one.since is None:
        return ""
    return moment(datetime.fromtimestamp(one.since, UTC))


def _print_details(one: CheckResult) -> None:
    console.print()
    outcome = one.outcome or Outcome.ERROR
    console.print(Text.assemble((one.name, _STYLES[outcome]), ": ", one.message))
    for label, text in (("owner", one.facts.owner), ("runbook", one.facts.runbook)):
        if text:
            console.print(Text(f"  {label}: {text}"))
    for row in one.evidence:
        line = ", ".join(f"{key} {value}" for key, value in row.items())
        console.print(Text(f"  {line}", style="dim"))


def _print_census(status: Status) -> None:
    census = status.census
    if census is None:
        return
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
