"""The states that the status page has a look for, as the service would show them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from checks.census import Census
from checks.errors import DatabaseUnavailableError
from checks.judgement import Outcome
from monitor.healing.executor import Progress
from monitor.policy.decision import Code, Decision, Verdict
from monitor.state.control import Control
from monitor.state.history import CensusPoint
from monitor.state.runs import Run, RunKind, RunState, Trigger
from monitor.status import CheckFacts, CheckResult, Status
from tests.support.builders import (
    NOON,
    a_census,
    a_check,
    a_run,
    a_suspicion,
    an_examination,
    at_work,
    checks,
    just_started,
    unrun,
)
from tests.unit.exporters.serving import Served

_COUNTS = {"tracked": 158_799, "fresh": 1_694, "storage": 66_037, "audience": 270}


def _census(legacy: int) -> Census:
    return a_census(**_COUNTS, legacy_untracked=legacy, appeared=0, legacy_artworks=legacy // 9)


def _suite(*worse: CheckResult) -> Mapping[str, CheckResult]:
    facts = CheckFacts(warn="> 0", fail="> 10", owner="gallery team", runbook="/runbooks/X")
    return checks(
        a_check(facts=CheckFacts(warn="> 0", fail=">= 1")),
        a_check("structure", value=0.0, message="The tables are as they should be."),
        a_check("duplicate_impressions", outcome=Outcome.SKIPPED, value=None, facts=facts),
        *worse,
    )


def _ended(number: int, **changes: object) -> Run:
    began = NOON - timedelta(hours=30 - 4 * number)
    ended = {
        "id": number,
        "state": RunState.SUCCEEDED,
        "started_at": began,
        "finished_at": began + timedelta(seconds=7 * number),
        "inserted": 1_200 * number,
        "planned_rows": 1_200 * number,
        "legacy_before": 1_200 * number,
        "legacy_after": 0,
        "outcome": "Nothing of the plan is left.",
    }
    return a_run(**{**ended, **changes})


RUNS = (
    _ended(4, kind=RunKind.UNDO, undoes=2, trigger=Trigger.API, legacy_after=2400),
    _ended(3, state=RunState.PARTIAL, legacy_after=36, quarantined=36),
    _ended(2),
    _ended(1, kind=RunKind.USER, subject="u1", legacy_before=None, legacy_after=None),
)
SERIES = tuple(
    CensusPoint(
        NOON - timedelta(minutes=5 * (287 - n)),
        150_000 + 31 * n,
        int(1500 + 400 * math.sin(n / 20)),
        66_000 - 12 * n,
        max(0, 2400 - 60 * abs(n - 120)),
    )
    for n in range(287)
)
FINE = at_work(
    census=_census(0),
    checks=_suite(),
    decision=Decision(Verdict.CLEAR, Code.CLEAN, "No legacy-untracked pairs."),
    decided_at=NOON,
    replica="gallery-1:4711:3dadeb2d",
)
_EVIDENCE = tuple({"user_id": f"visitor-{n}", "artwork_id": f"a{n}"} for n in range(3))
_FAILING = a_check(
    "orphan_impressions",
    outcome=Outcome.FAIL,
    value=12.0,
    message="12 impressions of artworks or users that are gone.",
    evidence=_EVIDENCE,
    facts=CheckFacts(warn="> 0", fail="> 10", owner="gallery team"),
)
_ERROR = a_check(
    "recording_rate",
    outcome=Outcome.ERROR,
    value=None,
    message="The statement was cancelled after 60 s (statement_timeout).",
)
_RUN = a_run(planned_rows=18_015, inserted=7_400, reason="18,015 legacy-untracked pairs.")
_OPEN = Control(
    breaker_open=True,
    breaker_code="max_share",
    breaker_reason="63.1 % of 226,530 pairs are legacy, more than the limit of 50 %.",
    breaker_at=NOON,
    suspended=True,
    suspended_reason="Run 2 was undone.",
    suspended_at=NOON,
)

STATES: dict[str, Status] = {
    "empty": just_started(checks=checks(unrun(), unrun("structure"))),
    "fine": FINE,
    "healing": replace(
        FINE,
        census=_census(10_615),
        active_run=_RUN,
        progress=Progress(_RUN, 7_400, None, 400, 412.0, "Replica b is 9.0 s behind, limit 10 s."),
        decision=Decision(Verdict.WAIT, Code.ACTIVE_RUN, "Run 12 is healing."),
    ),
    "failing": replace(FINE, checks=_suite(_FAILING, _ERROR), recurring=1_234),
    "breaker": replace(
        FINE,
        census=_census(143_000),
        control=_OPEN,
        decision=Decision(
            Verdict.REFUSED, Code.MAX_SHARE, "The breaker is open: 63.1 % are legacy."
        ),
    ),
    "suspicious": replace(
        FINE,
        census=_census(2_400),
        examination=an_examination(a_suspicion(), a_suspicion(accepted_as=None, subject="art")),
        decision=Decision(Verdict.REFUSED, Code.CATALOGUE, "None of 12,686 impressions crosses."),
    ),
    "paused": replace(
        FINE,
        census=_census(2_400),
        control=Control(paused=True, paused_reason="We move to a new server.", paused_at=NOON),
        decision=Decision(Verdict.PAUSED, Code.PAUSED, "Paused: We move to a new server."),
    ),
    "follower": replace(FINE, leader=False, leader_name="gallery-2:88:0a1b2c3d"),
    "database-down": replace(
        FINE,
        database_up=False,
        database_error="The database can't be reached: connection refused at db.example:5432.",
    ),
}


def _no_database(served: Served) -> None:
    served.commands.error = DatabaseUnavailableError("connection refused at db.example:5432.")


def _stale(served: Served) -> None:
    served.clock.past_staleness()


PREPARED: dict[str, Callable[[Served], None]] = {
    "database-down": _no_database,
    "stale": _stale,
}
"""What else has happened, after the history was read."""
EMPTY = "empty"


def put_up(served: Served, name: str) -> None:
    """Show this state, with a history where it has one."""
    if name == EMPTY:
        return
    served.commands.found_runs = RUNS
    served.commands.found_series = SERIES
