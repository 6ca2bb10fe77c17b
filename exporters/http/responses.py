"""What calls answer: models that read the domain's records and are published as they stand.

A field's docstring is its description in the published document. Moments are ISO 8601 in UTC with
a Z, durations seconds. New fields may come at any time; names and meanings stay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import (
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from checks.judgement import Outcome
from exporters.current import check_is_stale
from exporters.page.formatting import from_unix, iso_utc
from monitor import status
from monitor.policy.decision import Code, Verdict
from monitor.state.runs import RunKind, RunState, Trigger

_MOMENT = "2026-01-31T12:00:00.000Z"


def _none_if_empty(text: object) -> object:
    return text or None


def _finite(value: float | None) -> float | None:
    """Null for what JSON has no word for."""
    return value if value is not None and math.isfinite(value) else None


def _finite_only(numbers: Mapping[str, float]) -> dict[str, Number]:
    return {name: number for name, number in numbers.items() if math.isfinite(number)}


Moment = Annotated[
    datetime,
    PlainSerializer(iso_utc, return_type=str),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": [_MOMENT]}, mode="serialization"
    ),
]
UnixMoment = Annotated[Moment | None, BeforeValidator(from_unix)]
"""Read from Unix seconds."""
# Promised, not enforced: an answer that breaks it is still better than none.
Count = Annotated[int, Field(json_schema_extra={"minimum": 0}, examples=[6])]
RunNumber = Annotated[int, Field(json_schema_extra={"minimum": 1}, examples=[12])]
# A whole number stays one.
Number = Annotated[int | float, WithJsonSchema({"type": "number"}, mode="serialization")]
Seconds = Annotated[Number, Field(json_schema_extra={"minimum": 0}, examples=[0.1])]
TextOrNull = Annotated[str | None, BeforeValidator(_none_if_empty)]
FiniteOrNull = Annotated[Number | None, BeforeValidator(_finite)]


class Answer(BaseModel):
    """What is answered as JSON."""

    model_config = ConfigDict(
        from_attributes=True,
        frozen=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
        defer_build=True,
    )


class Fault(Answer):
    """Why a call was not answered as asked."""

    code: str
    """A word for programs; each status of each call lists its own."""
    message: str
    """A sentence for people: what was expected, what was found, what to do."""


class Problem(Answer):
    """Every answer from 400 on."""

    error: Fault


class Alive(Answer):
    """The process serves requests."""

    status: Literal["ok"] = "ok"


class Ready(Answer):
    """The database is reachable, and the state schema the one that this version needs."""

    ready: Literal[True] = True
    reasons: tuple[str, ...] = ()


class NotReady(Problem):
    """Not ready for work."""

    ready: Literal[False]
    reasons: tuple[str, ...]
    """A sentence for each thing that is missing."""


class Counts(Answer):
    """Pairs of user and artwork, by state, in one snapshot."""

    fresh: Count
    """No impression, and the artwork younger than `pools.fresh_for`."""
    storage: Count
    """No impression, and rightly still offered."""
    legacy_untracked: Count
    """No impression although the artwork is old: it will be shown again and again."""
    tracked: Count
    """With an impression."""
    as_of: Moment
    """When they were counted, on the database's clock."""


class Columns(Answer):
    """Censuses, one at the same place of every column."""

    t: tuple[float, ...]
    """When each was taken, in Unix seconds."""
    legacy_untracked: tuple[Count, ...]
    storage: tuple[Count, ...]
    fresh: tuple[Count, ...]
    tracked: tuple[Count, ...]


class History(Answer):
    """How the counts went."""

    range: str
    """The span that was asked for."""
    columns: Columns
    error: str | None
    """Why they could not be read again just now; null where they were."""


class UserHealed(Answer):
    """What a backfill of one user wrote."""

    updated: Count
    """Impressions written."""
    run_id: int | None
    """The run that wrote them; null where there was nothing to write."""


class UserSkipped(Answer):
    """The user was backfilled before, and nobody forced a repetition."""

    updated: Literal[0] = 0
    skipped: Literal[True] = True


class WouldUpdate(Answer):
    """What a backfill would do now; nothing was written."""

    would_update: Count
    """Impressions that it would write."""


class NothingToHeal(Answer):
    """Nobody has a legacy pair: no run was started."""

    updated: Literal[0] = 0
    run_id: None = None


class Accepted(Answer):
    """A run was started and goes on in the background."""

    run_id: RunNumber
    """Follow it at /api/runs/{run_id}."""


class CheckResult(Answer):
    """The last result of one check."""

    name: str
    outcome: Outcome | None
    """Null before the first run. `error`: it could not be evaluated, which is not a failure;
    `skipped`: a constraint makes what it looks for impossible."""
    value: FiniteOrNull
    """The number that the thresholds judge."""
    message: str
    """What was found, in a sentence."""
    stale: bool = True
    """Last evaluated more than three of its intervals ago, or never."""
    since: UnixMoment
    """Since when the outcome has been this."""
    last_run: UnixMoment
    last_success: UnixMoment
    """Last evaluated, whatever the verdict."""
    duration_seconds: Seconds | None
    interval_seconds: Seconds
    """In effect now, after the budget stretched it."""
    configured_interval_seconds: Seconds
    numbers: Annotated[dict[str, Number], BeforeValidator(_finite_only)]
    """What the value is made of."""
    evidence: tuple[dict[str, str], ...]
    """At most 20 examples: ids and moments, as text."""
    warn: str | None = Field(validation_alias=AliasPath("facts", "warn"))
    """The condition on which it warns; null: never."""
    fail: str | None = Field(validation_alias=AliasPath("facts", "fail"))
    """The condition on which it fails; null: never."""
    owner: str | None = Field(validation_alias=AliasPath("facts", "owner"))
    """Who looks after it, as configured."""
    runbook: str | None = Field(validation_alias=AliasPath("facts", "runbook"))
    """Where its runbook is, as configured."""
    suite: str | None = Field(validation_alias=AliasPath("facts", "suite"))
    """Of an expectation: the suite that it belongs to."""

    @classmethod
    def of(cls, check: status.CheckResult, now: float) -> CheckResult:
        """As it stands at `now` on the monotonic clock."""
        stale = check_is_stale(check, now)
        return cls.model_validate(check).model_copy(update={"stale": stale})


class Checks(Answer):
    """Every check, with evidence."""

    leader: bool
    """This replica runs the checks; the others show what it found."""
    led_by: TextOrNull
    """The replica that runs them; null: nobody that is known of."""
    checks: tuple[CheckResult, ...]


class Transition(Answer):
    """A change of a check's outcome."""

    changed_at: Moment
    before: str | None
    """Null: its first result."""
    after: str
    value: FiniteOrNull
    message: str


class Measured(Answer):
    """One run of a check."""

    taken_at: Moment
    outcome: str
    value: FiniteOrNull
    """Null where it could not be evaluated, or was skipped."""
    seconds: Seconds | None


class CheckPast(Answer):
    """One check with its history, the newest first."""

    check: CheckResult
    transitions: tuple[Transition, ...]
    """At most `limit` changes of its outcome."""
    results: tuple[Measured, ...]
    """At most `limit` results."""


class RunAnswer(Answer):
    """A run: one remediation, or the undo of one."""

    # Without what only its worker needs: lease, fencing token, cursor.

    id: RunNumber
    kind: RunKind
    """`heal`: every affected user; `user`: one; `undo`: takes another run back."""
    undoes: int | None
    """The run that an undo takes back."""
    trigger: Trigger
    state: RunState
    """`running` and `held` are active; the others are ends."""
    reason: str
    """Why it was started."""
    outcome: str
    """How it ended, or why it was put down; empty while it runs."""
    holder: str
    """The process that works on it, or did last."""
    user_id: Annotated[
        str | None, BeforeValidator(lambda subject: None if subject is None else str(subject))
    ] = Field(validation_alias="subject")
    """The user of a run of kind `user`."""
    started_at: Moment
    finished_at: Moment | None
    legacy_until: Moment
    """The cutoff: artworks up to here are its own."""
    created_before: Moment | None
    """`pools.legacy_created_before` as it was then."""
    planned_users: Count
    planned_rows: Count
    pass_: int = Field(serialization_alias="pass")
    batches: Count
    """Committed so far."""
    inserted: Count
    """Impressions written; of an undo: taken back."""
    writing_seconds: Seconds
    waiting_seconds: Seconds
    waiting_for: TextOrNull
    """What it waits for right now; null while it writes."""
    legacy_before: int | None
    """Legacy pairs when it was planned."""
    legacy_after: int | None
    """Legacy pairs in the recount at its end."""
    remaining: int | None
    """Pairs of its plan that the recount still found."""
    quarantined: Count
    """Pairs that could not be written and were put aside."""


class WaitedRun(RunAnswer):
    """A run with what it waited for."""

    waits: dict[str, Number] = {}
    """Seconds waited, by reason, the longest first."""


class RunList(Answer):
    """A page of runs, the newest first."""

    runs: tuple[RunAnswer, ...]
    next: int | None
    """The `before` of the page that follows; null on the last one."""


class PutAside(Answer):
    """A pair that the database refuses to take; tried again at `retry_at`."""

    user_id: str
    artwork_id: str
    error: str
    """SQLSTATE and the first line of what the database said."""
    attempts: RunNumber
    first_at: Moment
    last_at: Moment
    retry_at: Moment


class Batch(Answer):
    """One committed batch."""

    number: int
    started_at: Moment
    seconds: Seconds
    users: Count
    inserted: Count
    """Impressions written; of an undo: taken back."""


class RunInFull(Answer):
    """One run, and a page of its batches."""

    run: WaitedRun
    quarantine: tuple[PutAside, ...]
    """At most 20 of the pairs that are in quarantine since this run, the newest first."""
    batches: tuple[Batch, ...]
    """In order."""
    next: int | None
    """The `after` of the page of batches that follows; null on the last one."""


class WouldTakeBack(Answer):
    """What an undo would find now, in impressions of the run; nothing was changed."""

    would_undo: Count = Field(validation_alias="untouched")
    """Still as the run wrote them: these would be taken back."""
    touched: Count
    """Viewed again since: these would stay."""
    gone: Count
    """Not there any more."""


class NothingToUndo(Answer):
    """Nothing of the run is left to take back: no undo was started."""

    undone: Literal[0] = 0
    run_id: None = None


class DecisionView(Answer):
    """The last decision."""

    kind: Verdict
    code: Code
    """Why, as a word."""
    reason: str
    """Why, as a sentence."""
    decided_at: Moment | None = None


class Breaker(Answer):
    """Healing stops by itself where the numbers look wrong, until a person has looked."""

    open: bool = Field(validation_alias="breaker_open")
    code: TextOrNull = Field(validation_alias="breaker_code")
    reason: TextOrNull = Field(validation_alias="breaker_reason")
    since: Moment | None = Field(validation_alias="breaker_at")
    reset_at: Moment | None = Field(validation_alias="breaker_reset_at")
    """When a person last reset it."""
    accepted_share: Number | None
    """The legacy share, 0 to 1, that was accepted then, until it has fallen."""


class Healing(Answer):
    """How healing stands."""

    mode: Literal["observe", "heal"]
    """`observe`: only a person heals."""
    decision: DecisionView | None
    """Null before the first."""
    paused: bool
    """The kill switch: nobody writes."""
    paused_reason: TextOrNull
    suspended: bool
    """Automatic healing is off; runs by hand work."""
    suspended_reason: TextOrNull
    breaker: Breaker
    recurring: Count
    """Pairs that appeared within 24 hours although their users had been healed: impressions vanish,
    or are not recorded."""


class Paused(Answer):
    """Nobody writes from now on."""

    paused: Literal[True] = True
    reason: str


class Resumed(Answer):
    """Pause and suspension have ended."""

    paused: Literal[False] = False
    suspended: Literal[False] = False


class BreakerClosed(Answer):
    """The breaker is closed."""

    breaker_open: Literal[False] = False
    was_open: bool
    """False: it was closed, and nothing was changed."""
    code: TextOrNull
    """What it had opened for."""
    reason: TextOrNull
    since: Moment | None
    accepted_share: Number | None
    """The legacy share that is accepted until it has fallen; null where it was not too large."""


class Received(Answer):
    """What became of a notification."""

    woken: bool
    """The leader counts and decides now; where it is another replica, within five seconds."""
    firing: Count
    """Alerts of it that fire."""
    resolved: Count
