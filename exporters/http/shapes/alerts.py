"""What Alertmanager told."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from exporters.http.shapes.base import Count, Moment, described


@described
class Received(TypedDict):
    """What became of a notification."""

    woken: bool
    """The leader counts and decides now; where it is another replica, within five seconds."""
    recorded: bool
    """False: the database has not taken it in time, and it waits in memory."""
    firing: Count
    """Alerts that are new and firing."""
    resolved: Count
    """Alerts that are new and resolved."""
    ignored: Count
    """Alerts that were told before, to whichever replica."""


@described
class Alert(TypedDict):
    """How an alert stood, as Alertmanager told it."""

    name: str
    """The label `alertname`."""
    status: Literal["firing", "resolved"]
    starts_at: Moment
    """Since when it fired, by Prometheus."""
    received_at: Moment
    """When it was first told."""
    taken_by: str
    """The replica that it was told to."""
    fingerprint: str
    """Alertmanager's name for the alert's labels."""


@described
class AlertList(TypedDict):
    """What was told last, newest first."""

    alerts: list[Alert]
