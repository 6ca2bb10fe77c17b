"""Sections `server` and `export`: who may call what, and where metrics are pushed to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from monitor.config.errors import HIDDEN, InvalidValueError
from monitor.config.secrets import File, MaybeToken, TokenFile, WebUrl, read_token
from monitor.config.section import Section, refuse_all
from monitor.config.types import (
    Interval,
    Maybe,
    Port,
    Positive,
    Switch,
    Text,
    Timeout,
)

TOKENS = ("admin_token", "app_token", "alert_token", "read_token")
EXCHANGEABLE = frozenset(f"server.{key}" for name in TOKENS for key in (name, f"{name}_file")) | {
    "server.tls.cert",
    "server.tls.key",
}
"""The paths of the keys that a running service takes at once."""


class Tls(Section):
    """HTTPS instead of HTTP."""

    cert: File
    """PEM file with the certificate and its chain. Relative paths start from this file's folder."""
    key: File
    """PEM file with the private key."""


def _without_brackets(host: str) -> str:
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


Host = Annotated[Text, AfterValidator(_without_brackets)]
"""A name or an address; of IPv6 with or without the brackets that URLs need."""


class Server(Section):
    """The HTTP server, and who may call what."""

    host: Host = "127.0.0.1"
    """The address to listen on; 0.0.0.0 for all of IPv4, :: for all of IPv6 and of IPv6 alone."""
    port: Port = 9855
    """The port to listen on; 0 for any that is free."""
    admin_token: MaybeToken = None
    """May do everything. Left out: the variable CONSERVATOR_ADMIN_TOKEN. null: nobody may."""
    admin_token_file: Maybe[TokenFile] = None
    """A file with the admin token, in place of `admin_token`."""
    app_token: MaybeToken = None
    """May read, and backfill one user: for the app's login hook."""
    app_token_file: Maybe[TokenFile] = None
    """A file with the app token, in place of `app_token`."""
    alert_token: MaybeToken = None
    """May only call /api/alerts: for Alertmanager."""
    alert_token_file: Maybe[TokenFile] = None
    """A file with the alert token, in place of `alert_token`."""
    read_token: MaybeToken = None
    """Set: reads need it too, except /healthz."""
    read_token_file: Maybe[TokenFile] = None
    """A file with the read token, in place of `read_token`."""
    allow_open: Switch = False
    """true: may listen beyond this machine without any token, for everybody to read."""
    backfills_a_minute: Maybe[Positive] = 6000
    """Backfills of one user that one client may ask for in a minute. null: any number."""
    tls: Maybe[Tls] = None
    """Certificate and key, to serve HTTPS. null: HTTP."""

    def contradictions(self) -> Iterator[InvalidValueError]:
        for name in TOKENS:
            file = f"{name}_file"
            if getattr(self, name) is not None and getattr(self, file) is not None:
                expected, remedy = f"{name} or {file}", "remove one of the two"
                yield InvalidValueError(expected, "both", remedy, name, file)
        readers = ("admin_token", "admin_token_file", "read_token", "read_token_file")
        closed = self.allow_open or any(getattr(self, name) for name in readers)
        if not closed and not _is_loopback(self.host):
            yield InvalidValueError(
                "an address of this machine alone, such as 127.0.0.1",
                f"{self.host} without a token",
                "set admin_token or read_token, or allow_open: true where everybody may read",
                *("host", "allow_open", *readers),
            )

    @model_validator(mode="after")
    def _read_token_files(self) -> Self:
        """The tokens of files stand where those written down do."""
        files = {name: getattr(self, f"{name}_file") for name in TOKENS}
        tokens = {name: read_token(file) for name, file in files.items() if file is not None}
        server = self.model_copy(update=tokens) if tokens else self
        refuse_all(server._shared_tokens())
        return server

    def _shared_tokens(self) -> Iterator[InvalidValueError]:
        """Tokens that are equal: who holds the lesser would have the rights of the greater."""
        seen: dict[SecretStr, str] = {}
        for name in TOKENS:
            token = getattr(self, name)
            other = name if token is None else seen.setdefault(token, name)
            if other != name:
                expected, remedy = f"another token than {other}", "make a token for each"
                keys = (name, other, f"{name}_file", f"{other}_file")
                yield InvalidValueError(expected, HIDDEN, remedy, *keys)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Otlp(Section):
    """An OpenTelemetry collector. Headers and certificates: the variables OTEL_EXPORTER_OTLP_*."""

    endpoint: WebUrl = Field(repr=False)
    """Its URL for OTLP over HTTP, such as http://localhost:4318; without a path: /v1/metrics."""
    every: Interval = timedelta(minutes=1)
    """How often the metrics are pushed."""
    timeout: Timeout = timedelta(seconds=10)
    """How long one push may take, with what is tried again."""


class Export(Section):
    """Where metrics are pushed to, besides being scraped."""

    otlp: Maybe[Otlp] = None
    """A collector that takes OTLP over HTTP. Needs the extra `otlp`. null: nothing is pushed."""
