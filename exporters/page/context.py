"""Everything that a page shows, as it is at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.state.runs import Run
from monitor.status import Status


@dataclass(frozen=True, slots=True)
class RunsRead:
    """The newest runs as they were read last."""

    runs: tuple[Run, ...] = ()
    more: bool = False
    """There are earlier ones."""
    error: str | None = None
    """Why they could not be read again, in a sentence."""

    @property
    def following(self) -> int | None:
        """The `before` of the page that follows; None on the last one."""
        return self.runs[-1].id if self.more and self.runs else None


@dataclass(frozen=True, slots=True)
class PageContext:
    """The snapshot, when it is looked at, and what the database adds."""

    status: Status
    now: float
    """On the monotonic clock, as the snapshot's moments."""
    observe: bool
    """`healing.mode` is observe."""
    may_act: bool
    """An admin token is configured, so that buttons make sense."""
    history: RunsRead
