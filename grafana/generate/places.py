"""Where a link leads: runbooks at the service, panels in Grafana."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Places:
    """The addresses as people reach them, and the number of every panel by dashboard and title."""

    service: str
    grafana: str
    panels: Mapping[tuple[str, str], int]

    def runbook(self, alert: str) -> str:
        """The runbook of an alert."""
        return f"{self.service}/runbooks/{alert}"

    def panel(self, dashboard: str, title: str) -> str:
        """A panel, by its title; KeyError where there is none."""
        return f"{self.grafana}/d/{dashboard}?viewPanel={self.panels[dashboard, title]}"
