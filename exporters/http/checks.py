"""/api/checks: the last result of every check, and the history of one."""

from __future__ import annotations

from exporters.http.errors import ApiError
from exporters.http.requests import CheckParameters, NoBody
from exporters.http.responses import Answer, CheckResult, FiniteOrNull, Moment, Seconds, TextOrNull
from exporters.http.routing import Call, PlainCall


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


async def list_checks(call: PlainCall) -> Checks:
    """The last result of every check.

    From memory. A result that is `stale` must not be taken for the present.
    """
    status, now = call.context.board.current, call.context.clock()
    return Checks(
        leader=status.leader,
        led_by=status.replica if status.leader else status.leader_name,
        checks=CheckResult.all_of(status, now),
    )


async def get_check(call: Call[CheckParameters, NoBody]) -> CheckPast:
    """One check with its history.

    Its last result, its newest results, and the newest changes of its outcome.
    """
    context, name = call.context, call.parameters.name
    status = context.board.current
    check = status.checks.get(name)
    if check is None:
        raise ApiError("unknown_check", f"There is no check {name[:60]}; see /api/checks.")
    history = await context.commands.check_history(name, limit=call.parameters.limit)
    return CheckPast.model_validate(
        {
            "check": CheckResult.of(check, status, context.clock()),
            "transitions": history.transitions,
            "results": history.results,
        }
    )
