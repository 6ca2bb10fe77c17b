"""What Alertmanager is answered."""

from __future__ import annotations

from typing_extensions import TypedDict

from exporters.api.shapes.base import Count, described


@described
class Received(TypedDict):
    """What became of a notification."""

    woken: bool
    """The leader counts and decides now; where it is another replica, within five seconds."""
    firing: Count
    """Alerts of it that fire."""
    resolved: Count
    """Alerts of it that have ended."""
