"""What an undo would do, counted in one read-only snapshot, and what must be known before it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.doctor.ddl import quoted, table
from checks.relations import Catalogue
from monitor.healing.statements import HealingStatements

NO_TRACE = (
    "If your app does not move viewed_at when an artwork is viewed again, views since then leave no"
    " trace and undo removes them too."
)


@dataclass(frozen=True, slots=True)
class UndoSurvey:
    """What has become of the impressions that a run's ledger lists, in rows."""

    listed: int
    users: int
    untouched: int
    """Still as the run wrote them: these are taken back."""
    touched: int
    """Viewed again since: these stay."""
    gone: int
    """Deleted by the app, or with their artwork or user."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """What stands in the way of an undo, and who hears of it."""

    refusal: str | None
    """Why nothing can be taken back, with what mends it."""
    triggers: tuple[str, ...]
    """Triggers of the app that fire on each delete, or batch of deletes."""


async def survey_undo(
    connection: AsyncConnection, statements: HealingStatements, run_id: int
) -> UndoSurvey:
    """Compare a run's ledger with the impressions; all zero for a run without one."""
    result = await connection.exec_driver_sql(statements.text("undo_survey"), {"undoes": run_id})
    row = result.one()
    return UndoSurvey(row.listed, row.users, row.untouched, row.touched, row.gone)


async def preflight(connection: AsyncConnection, statements: HealingStatements) -> Preflight:
    """Ask the catalogue as it is now: a grant given a moment ago counts."""
    catalogue = statements.state.catalogue
    result = await connection.exec_driver_sql(
        statements.text("undo_preflight"), {"impressions": catalogue.impressions.oid}
    )
    row = result.one()
    refusal = (
        _not_unique(catalogue)
        or (None if row.may_delete else _no_grant(catalogue))
        or (_cascade(row.cascades) if row.cascades else None)
    )
    return Preflight(refusal, tuple(row.triggers))


def trace_warning(catalogue: Catalogue, survey: UndoSurvey) -> str | None:
    """A warning unless the counts prove that the app leaves a trace of viewing again.

    A date does not show that an artwork was viewed again on the same day.
    """
    column = catalogue.impressions.columns[catalogue.spec.impressions.viewed_at]
    proven = survey.touched > 0 and column.type != "date"
    return None if proven or survey.untouched == 0 else NO_TRACE


def _not_unique(catalogue: Catalogue) -> str | None:
    spec, impressions = catalogue.spec.impressions, catalogue.impressions
    if impressions.unique_on(spec.user, spec.artwork) is not None:
        return None
    return (
        f"{impressions.configured} has no unique index on ({spec.user}, {spec.artwork}) any more,"
        " and without it each row would be looked for in the whole table: `conservator doctor`"
        " prints the statement that creates it."
    )


def _no_grant(catalogue: Catalogue) -> str:
    name, role = table(catalogue.impressions), catalogue.role
    return (
        f"Role {role} may not delete impressions, so nothing can be taken back:"
        f" GRANT DELETE ON {name} TO {quoted(role)};"
    )


def _cascade(constraints: list[str]) -> str:
    return (
        f"With each impression, foreign keys would delete or change other rows of the app too:"
        f" {', '.join(constraints)}. Undo takes back impressions and nothing else: make them ON"
        " DELETE NO ACTION, and impressions that are referred to will be left where they are."
    )
