"""What the handlers share."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry

from exporters.prometheus import Clock
from monitor.commands import Commands
from monitor.status import StatusBoard


@dataclass(frozen=True, slots=True)
class Context:
    """The snapshot to show, and the service to ask."""

    board: StatusBoard
    commands: Commands
    registry: CollectorRegistry
    observe: bool
    clock: Clock


CONTEXT = web.AppKey("context", Context)


def context_of(request: web.Request) -> Context:
    """The application's context."""
    return request.app[CONTEXT]
