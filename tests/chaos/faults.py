"""What may happen between two statements, and where."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """What happens to the service."""

    KILL = "kill"
    """SIGKILL for the process."""
    CUT = "cut"
    """The connection ends on both sides."""
    SEVER = "sever"
    """The client's side ends; the server doesn't hear of it for a while and keeps its locks."""
    TERMINATE = "terminate"
    """The server ends the session, as an administrator or a failover does."""
    FREEZE = "freeze"
    """SIGSTOP for the process, until somebody else has taken its run over."""


class Moment(StrEnum):
    """On which side of a statement."""

    BEFORE = "before"
    """The server never hears of the statement."""
    AFTER = "after"
    """The server carries it out; its answer reaches nobody."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """A statement of a command, by its text and by how often the text came before."""

    statement: str
    nth: int
    """From 1."""
    begins_trip: bool = field(default=False, compare=False)
    """The first of the statements that travel together."""

    @property
    def is_by_the_clock(self) -> bool:
        """Who waits is asked of batches that take long: not every run has as many of these."""
        return self.statement.startswith("SELECT count(*) FROM (SELECT DISTINCT l.pid")

    def __str__(self) -> str:
        return f"{self.statement[:60]} (no. {self.nth})"


@dataclass(frozen=True, slots=True)
class Seen:
    """A boundary that came, and on which connection."""

    connection: int
    boundary: Boundary


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault at one place."""

    fault: Fault
    moment: Moment
    boundary: Boundary

    def __str__(self) -> str:
        return f"{self.fault} {self.moment} {self.boundary}"
