"""What else goes on in the database, as far as a run yields to it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from monitor.state.waits import WaitReason


@dataclass(frozen=True, slots=True)
class Wait:
    """The run must wait: why, as a word for metrics and as a sentence for people."""

    code: WaitReason
    reason: str


@dataclass(slots=True)
class Watched:
    """What was seen while one batch was written; complete once the watch has ended."""

    blocked: int = 0
    """The most sessions of others that waited for this batch at one moment."""


class Traffic(Protocol):
    """Looks around between batches, and watches over one while it is written."""

    async def look(self, waiting: Wait | None) -> Wait | None:
        """Why the next batch must wait, or None. `waiting` is what the run waited for so far.

        Never raises for what the database or a server does: unknown means wait.
        """
        ...

    def watch(self, backend: int) -> AbstractAsyncContextManager[Watched]:
        """Look, as long as the block lasts, who waits for the server process `backend`."""
        ...
