"""The metrics of checks that run as a cron job: pushed to a Pushgateway, or left as a file."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from prometheus_client import (
    CollectorRegistry,
    delete_from_gateway,
    push_to_gateway,
    write_to_textfile,
)
from prometheus_client.exposition import basic_auth_handler, default_handler

from checks.errors import ConservatorError

JOB = "conservator"
TIMEOUT_SECONDS = 10.0


class PushError(ConservatorError):
    """The Pushgateway did not take the metrics."""

    code = "push"


@dataclass(frozen=True, slots=True)
class Group:
    """What a Pushgateway holds under one grouping key: `job`, and the labels of `key`."""

    url: str = field(repr=False)
    """The gateway; may carry a user and a password."""
    key: Mapping[str, str] = field(default_factory=lambda: {"instance": socket.gethostname()})
    job: str = JOB
    timeout_seconds: float = TIMEOUT_SECONDS

    def replace(self, registry: CollectorRegistry) -> None:
        """Put the metrics of `registry` in place of what the group holds. Blocks; raises
        PushError."""
        self._ask("pushed to", partial(push_to_gateway, registry=registry))

    def delete(self) -> None:
        """Delete the group; harmless where there is none. Blocks; raises PushError."""
        self._ask("deleted from", delete_from_gateway)

    def _ask(self, what: str, ask: Callable[..., None]) -> None:
        parts = _parsed(self.url)
        gateway = _without_login(parts)
        login = partial(
            basic_auth_handler,
            username=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )
        try:
            ask(
                gateway,
                job=self.job,
                grouping_key=dict(self.key),
                timeout=self.timeout_seconds,
                handler=default_handler if parts.username is None else login,
            )
        except (OSError, ValueError, HTTPException) as error:
            raise PushError(
                f"The metrics could not be {what} {gateway}: {error}. Check the URL, and that a"
                " Pushgateway listens there."
            ) from error


def _parsed(url: str) -> SplitResult:
    try:
        return urlsplit(url if "://" in url else f"http://{url}")
    except ValueError as error:
        # Not repeated in the message: it may hold a password.
        raise PushError(
            f"The metrics could not be pushed: {error}. Write the URL as http://host:9091."
        ) from None


def _without_login(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host).geturl()


def write_textfile(registry: CollectorRegistry, path: Path) -> None:
    """Write the metrics to `path`, for the textfile collector of node_exporter, in one step, so
    that nobody reads half a file.

    It takes only names that end in `.prom`. Raises OSError.
    """
    write_to_textfile(str(path), registry)
