"""Single rows that the database refuses: each is told, and whose fault it is where all are."""

from __future__ import annotations

import psycopg
import structlog

from monitor.healing.errors import TableRefusesError
from monitor.healing.sqlstates import refusal_sentence
from monitor.healing.strategy import OpenBatch

MAX_REFUSED = 100
"""So many of them and none that was not: it is the table that refuses."""
log = structlog.get_logger(__name__)


class RefusedRows:
    """Those of one run."""

    def __init__(self, event: str, could_not: str) -> None:
        """`event` is logged of each; `could_not` says of rows what they could not be."""
        self._event, self._could_not = event, could_not
        self._count = 0
        self.first: str | None = None
        """Why the first one was refused."""

    def note(self, batch: OpenBatch, error: psycopg.Error) -> None:
        """One more. Raises TableRefusesError."""
        refusal = refusal_sentence(error)
        self._count += 1
        self.first = self.first or refusal
        log.warning(self._event, run_id=batch.run.id, error=refusal)
        if batch.start.inserted == 0 and self._count > MAX_REFUSED:
            raise TableRefusesError(
                f"{MAX_REFUSED} {self._could_not} and none could, so it is the table that refuses:"
                f" {refusal}."
            ) from error
