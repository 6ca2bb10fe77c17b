"""The metrics pushed to a Pushgateway, for checks that run as a cron job."""

from __future__ import annotations

import socket
from functools import partial
from http.client import HTTPException
from urllib.parse import SplitResult, unquote, urlsplit

from prometheus_client import CollectorRegistry, push_to_gateway
from prometheus_client.exposition import basic_auth_handler, default_handler

from checks.errors import ConservatorError

JOB = "conservator"
TIMEOUT_SECONDS = 10.0


class PushError(ConservatorError):
    """The Pushgateway did not take the metrics."""

    code = "push"


def push(
    registry: CollectorRegistry,
    url: str,
    *,
    job: str = JOB,
    instance: str | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> None:
    """Replace what the gateway at `url` holds for this job and instance (default: host name).

    `url` may carry a user and a password. Blocks; raises PushError.
    """
    parts = _parsed(url)
    gateway = _without_login(parts)
    login = partial(
        basic_auth_handler,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )
    try:
        push_to_gateway(
            gateway,
            job=job,
            registry=registry,
            grouping_key={"instance": instance or socket.gethostname()},
            timeout=timeout_seconds,
            handler=default_handler if parts.username is None else login,
        )
    except (OSError, ValueError, HTTPException) as error:
        raise PushError(
            f"The metrics could not be pushed to {gateway}: {error}. Check the URL, and that a"
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
