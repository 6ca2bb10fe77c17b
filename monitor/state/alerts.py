"""What Alertmanager has told, a row for each change of an alert, kept as long as `history` says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.state.statements import SchemaStatements

FIRING = "firing"
WAKING = "ConservatorLegacyUntracked"
"""The alert that healing answers."""
MAX_CHARACTERS = 200
"""Of a name or a fingerprint, so many are kept: an index entry of PostgreSQL is bounded."""


@dataclass(frozen=True, slots=True)
class Notification:
    """How one alert stands, as Alertmanager tells it."""

    fingerprint: str
    """Alertmanager's name for the alert's set of labels."""
    starts_at: datetime
    status: str
    """firing or resolved."""
    name: str
    """The label `alertname`; empty where there is none."""

    @property
    def wakes(self) -> bool:
        """Whether the loop should pass now."""
        return self.status == FIRING and self.name == WAKING


@dataclass(frozen=True, slots=True)
class AlertRow:
    """A notification as it was kept."""

    fingerprint: str
    starts_at: datetime
    status: str
    name: str
    received_at: datetime
    """When it was first told, on the database's clock."""
    taken_by: str
    """The replica that it was told to."""


def kept(alert: Notification) -> Notification:
    """As it will be found again: bounded, and its moment in UTC."""
    return Notification(
        alert.fingerprint[:MAX_CHARACTERS],
        alert.starts_at.astimezone(UTC),
        alert.status,
        alert.name[:MAX_CHARACTERS],
    )


async def record_alerts(
    connection: AsyncConnection,
    statements: SchemaStatements,
    alerts: Sequence[Notification],
    *,
    taken_by: str,
) -> frozenset[Notification]:
    """Keep what is new of `alerts`, which is returned."""
    known = {(a.fingerprint, a.starts_at, a.status): a for a in map(kept, alerts)}
    result = await statements.run(
        connection,
        "alert_record",
        {
            "fingerprints": [alert.fingerprint for alert in known.values()],
            "starts": [alert.starts_at for alert in known.values()],
            "statuses": [alert.status for alert in known.values()],
            "names": [alert.name for alert in known.values()],
            "taken_by": taken_by,
        },
    )
    return frozenset(
        known[row.fingerprint, row.starts_at.astimezone(UTC), row.status] for row in result
    )


async def last_waking(
    connection: AsyncConnection, statements: SchemaStatements, *, beside: str
) -> datetime | None:
    """When a replica other than `beside` last took an alert that wakes the loop."""
    values = {"name": WAKING, "taken_by": beside}
    found: datetime | None = (await statements.run(connection, "alert_waking", values)).scalar_one()
    return found


async def list_alerts(
    connection: AsyncConnection, statements: SchemaStatements, *, limit: int
) -> tuple[AlertRow, ...]:
    """What was told last, newest first."""
    rows: Iterable[AlertRow] = (
        AlertRow(**row._mapping)
        for row in await statements.run(connection, "alert_list", {"limit": limit})
    )
    return tuple(rows)
