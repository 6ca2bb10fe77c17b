"""Row security hides rows without an error. How a transaction makes sure that it hides none.

Where the role is above it, `row_security = off` for the transaction: what PostgreSQL would hide
from then on, it refuses. Where policies apply, off is refused even if they show every row: there
the proof that they do is read in the transaction's own snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.errors import StatementError
from checks.relations import Catalogue, Command, RowSecurity
from checks.statements import template

SERVICE_ROLES = READER, HEALER = "conservator_reader", "conservator_healer"
"""The roles of a least-privilege deployment."""
STATEMENT = template("checks", "row_security")
SWITCH = template("checks", "row_security_switch")
OFF: Mapping[str, object] = {"value": "off"}

_REFUSING_FUNCTION = "check_enable_rls"  # of PostgreSQL; messages may be in any language
_UNTIL_THEN = (
    "Nothing is counted or written until it shows every row: `conservator doctor` says what is"
    " missing."
)
_GOES_ON = " Once nothing is, the next check `structure` lets a service go on."


@dataclass(frozen=True, slots=True)
class RowGuard:
    """What a transaction has to do that reads these relations, or writes them."""

    relations: tuple[int, ...]
    """Their oids."""
    off: bool = False
    """The role was above row security when the catalogue was read: nothing need be asked."""
    may_switch_off: bool = True
    """Where the proof shows that the role is above it, it is switched off as well."""

    def joined(self, other: RowGuard) -> RowGuard:
        """The guard of a transaction that does what both are for."""
        return RowGuard(
            tuple(dict.fromkeys((*self.relations, *other.relations))),
            off=self.off and other.off,
            may_switch_off=self.may_switch_off and other.may_switch_off,
        )

    @property
    def elsewhere(self) -> RowGuard:
        """The same on another server, to which another role may be connected."""
        return replace(self, off=False)


def guard_of(catalogue: Catalogue, *, writes: bool = False) -> RowGuard:
    """The guard of transactions over the catalogue's tables, and whatever else is read there.

    Those that write never switch row security off where a trigger of the app hears of each row: it
    may use tables of its own, whose policies are none of our business.
    """
    listed = () if catalogue.through is None else (catalogue.through,)
    tables = (catalogue.artworks, catalogue.users, catalogue.impressions, *listed)
    relations = (*tables, *catalogue.read_elsewhere)
    above = not any(relation.row_security for relation in relations)
    quiet = not (writes and catalogue.impressions.insert_triggers)
    oids = tuple(relation.oid for relation in relations)
    return RowGuard(oids, off=above and quiet, may_switch_off=quiet)


async def read_row_security(
    connection: AsyncConnection, relations: Sequence[int], roles: Sequence[str] | None = None
) -> tuple[RowSecurity, ...]:
    """Where row security applies to `roles` (default: the connected one) in these relations."""
    rows = await connection.exec_driver_sql(STATEMENT, asked(relations, roles))
    return found_in(rows.mappings())


def asked(relations: Sequence[int], roles: Sequence[str] | None = None) -> dict[str, object]:
    """The parameters of STATEMENT."""
    return {
        "relations": list(relations),
        "roles": None if roles is None else list(roles),
        "service": list(SERVICE_ROLES),
    }


def found_in(rows: Iterable[Mapping[Any, Any]]) -> tuple[RowSecurity, ...]:
    """The rows of STATEMENT as records."""
    return tuple(
        RowSecurity(
            **{
                **row,
                "open_for": frozenset(map(Command, row["open_for"])),
                **{name: tuple(row[name]) for name in ("restrictive", "policies", "service_roles")},
            }
        )
        for row in rows
    )


async def switch_off(connection: AsyncConnection) -> None:
    """What row security would hide is refused, for the rest of the transaction or savepoint."""
    await connection.exec_driver_sql(SWITCH, dict(OFF))


def refuse_hidden(found: Iterable[RowSecurity]) -> None:
    """Raise StatementError unless every row is visible for certain."""
    hidden = [one for one in found if not one.shows_every_row]
    if hidden:
        where = ", ".join(sorted({f"{one.schema}.{one.name}" for one in hidden}))
        roles = ", ".join(sorted({one.role for one in hidden}))
        raise StatementError(
            f"Row security may hide rows of {where} from role {roles}. {_UNTIL_THEN}"
        )


def is_refusal(error: BaseException | None) -> bool:
    """Whether PostgreSQL refused what row security would have hidden."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return (
        isinstance(original, psycopg.Error) and original.diag.source_function == _REFUSING_FUNCTION
    )


def refusal_sentence(message: str) -> str:
    """PostgreSQL's refusal, with what follows."""
    return f"Row security would hide rows from this role: {message}. {_UNTIL_THEN}{_GOES_ON}"
