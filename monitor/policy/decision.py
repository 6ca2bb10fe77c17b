"""What a decision is: a verdict, a word for metrics and records, and the sentence that says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.state.control import Control
from monitor.state.statements import SchemaStatements, parameters


class Verdict(StrEnum):
    """What is done now, about healing or about a repair."""

    CLEAR = "clear"
    """Nothing to heal."""
    WAIT = "wait"
    """Something to heal, but not yet, or somebody is at it."""
    PAUSED = "paused"
    """A person has switched automatic healing off."""
    REFUSED = "refused"
    """Healing now would be dangerous: a person should look."""
    ERROR = "error"
    """What a repair would mend could not be found out: no number, and never zero."""
    HEAL = "heal"
    """Heal, or mend, now."""


class Code(StrEnum):
    """Why, as a word that metrics and records can carry."""

    CLEAN = "clean"
    CENSUS_FAILED = "census_failed"
    ACTIVE_RUN = "active_run"
    CONSECUTIVE = "consecutive"
    COOLDOWN = "cooldown"
    WINDOW = "window"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    OBSERVE = "observe"
    MAX_SHARE = "max_share"
    """More of the pairs is legacy than can be right."""
    LOSS = "loss"
    """Impressions are gone whose artworks and users are still there."""
    STUCK = "stuck"
    """Runs end without reducing the count."""
    CATALOGUE = "catalogue"
    SEQUENCE = "sequence"
    """The plan would use up too much of a sequence that the app draws from."""
    TALLY_FAILED = "tally_failed"
    THRESHOLD = "threshold"
    RESUME = "resume"
    MAX_ROWS = "max_rows"
    """`find` of a repair names more rows than can be right."""
    HEALING_BREAKER = "healing_breaker"
    """Healing's breaker, which stops repairs, too."""
    OTHERS_FIRST = "others_first"
    """Healing, or another repair, has waited for a run that has ended, and goes first."""
    CHECK_FAILS = "check_fails"
    CHECK_UNKNOWN = "check_unknown"
    """The repair's check has no current outcome, or could not be evaluated."""
    CHECK_DUE = "check_due"
    """The repair's check has not run since the repair's last run, or its undo."""
    NOT_PLANNED = "not_planned"
    """A heal run could not be planned in time; or `find` of a repair could not be evaluated, or
    names a key twice, or one with a NULL."""
    NOTHING_NAMED = "nothing_named"
    """The check fails, and `find` names no row."""


BREAKER_CODES = (Code.MAX_SHARE, Code.LOSS, Code.STUCK)
"""The codes of an open breaker."""
REFUSALS = (*BREAKER_CODES, Code.CATALOGUE, Code.SEQUENCE)
"""The codes that a refusal can have."""
_WAYS_ON = (
    "Once you have looked, `conservator reset-breaker` lets automatic healing go on, and"
    " `conservator heal --beyond-breaker` heals at once and leaves the breaker open."
)
_WAYS_ON_FROM_SHARE = (
    "If they are right, as on a first run over a truly legacy gallery, `conservator heal"
    " --beyond-breaker` heals it now, or `conservator reset-breaker` accepts this share and lets it"
    " heal by itself."
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done, and the sentence that says why."""

    kind: Verdict
    code: Code
    reason: str
    again_in_seconds: float | None = None
    """When time alone makes another decision, and the next census would be later than that."""
    cause: str = ""
    """Of a breaker that opens: the reason without the ways on, which is what it keeps. The ways on
    are said anew each time, by what is known then."""


def ways_on(code: Code, suspicion: str) -> str:
    """What a person may do about an open breaker. There is no way past a suspicion: what the
    breaker judged may be counted wrongly."""
    if suspicion:
        return suspicion
    return _WAYS_ON_FROM_SHARE if code is Code.MAX_SHARE else _WAYS_ON


def catalogue_refusal(blockers: Sequence[str], suspicion: str) -> Decision | None:
    """The refusal for what `doctor` found, whatever the numbers say; None where it lets heal.

    `blockers` are sentences of what else must be mended.
    """
    if not (blockers or suspicion):
        return None
    more = len(blockers) - 1
    also = f" {more} more: `conservator doctor` lists them." if more > 0 else ""
    told = (*(f"{one}{also}" for one in blockers[:1]), suspicion)
    return Decision(Verdict.REFUSED, Code.CATALOGUE, " ".join(filter(None, told)))


def open_refusal(control: Control, suspicion: str = "") -> Decision | None:
    """The refusal of a breaker that is open; None where it is closed."""
    if not control.breaker_open:
        return None
    known = control.breaker_code in BREAKER_CODES
    # A newer version may have opened it for a reason that this one doesn't know.
    code = Code(control.breaker_code) if known else Code.MAX_SHARE
    since = "" if control.breaker_at is None else f" since {control.breaker_at:%Y-%m-%d %H:%M %Z}"
    reason = f"The breaker is open{since}: {control.breaker_reason} {ways_on(code, suspicion)}"
    return Decision(Verdict.REFUSED, code, reason)


async def record_decision(
    connection: AsyncConnection,
    state: SchemaStatements,
    decision: Decision,
    *,
    legacy_untracked: int | None,
) -> None:
    """Keep a decision with its reason, as long as `history` says."""
    values = parameters(decision) | {"legacy_untracked": legacy_untracked}
    await state.run(connection, "decision_insert", values)
