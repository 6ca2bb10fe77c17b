"""What the handlers share."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry

from exporters.api.tokens import Keyring, Tokens
from exporters.prometheus import Clock
from monitor.commands import Commands
from monitor.status import StatusBoard


@dataclass(frozen=True, slots=True)
class Context:
    """The snapshot to show, the service to ask, and who may do either."""

    board: StatusBoard
    commands: Commands
    keyring: Keyring
    registry: CollectorRegistry
    observe: bool
    clock: Clock

    @property
    def tokens(self) -> Tokens:
        """The tokens in force now."""
        return self.keyring.current


CONTEXT = web.AppKey("context", Context)


def context_of(request: web.Request) -> Context:
    """The application's context."""
    return request.app[CONTEXT]
