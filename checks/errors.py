"""The error tree, drawn once. Split by what the caller should do about it.

ConservatorError              a sentence for a person; never a traceback
├── ConfigurationError        mend the configuration            (exit 78)
├── DatabaseUnavailableError  wait and try again                (exit 69)
├── CatalogueError            mend the tables, or say what they are called
├── StatementError            the database refused a statement
├── UnknownUserError          there is no such user
├── BusyError                 too many wait already; ask again in a moment
└── RefusedError              not now: paused, breaker, active run; the sentence says which
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True, slots=True)
class Refusal:
    """PostgreSQL's reason for refusing a statement."""

    sqlstate: str
    message: str

    @classmethod
    def of(cls, error: psycopg.Error) -> Refusal:
        """What the driver was told, without a full stop."""
        message = error.diag.message_primary or str(error)
        return cls(error.sqlstate or "", message.rstrip("."))


class ConservatorError(Exception):
    """Something went wrong that a person can mend: expected, found, what to do."""

    exit_code = 1
    code = "error"


class ConfigurationError(ConservatorError):
    """The configuration is not usable as it stands."""

    exit_code = 78
    code = "bad_configuration"


class DatabaseUnavailableError(ConservatorError):
    """The database can't be reached, or went away."""

    exit_code = 69
    code = "database_unavailable"


class CatalogueError(ConservatorError):
    """The real tables don't allow what was asked for."""

    code = "catalogue"


class StatementError(ConservatorError):
    """The database refused a statement: no privilege, no such column, ran out of time."""

    code = "statement"


class UnknownUserError(ConservatorError):
    """There is no such user among those that `catalog.users` admits."""

    code = "unknown_user"


class BusyError(ConservatorError):
    """Too many questions wait already: ask again in a moment."""

    code = "busy"


class RefusedError(ConservatorError):
    """Not done, for a reason that stands in the message."""

    code = "refused"
