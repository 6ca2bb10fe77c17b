"""The `server` section: the HTTP server, and who may call what."""

from __future__ import annotations

from monitor.config.quantities import File
from monitor.config.scalars import Maybe, Port, Positive, Switch, Text
from monitor.config.secrets import MaybeToken
from monitor.config.section import Section


class Tls(Section):
    """HTTPS instead of HTTP."""

    cert: File
    """PEM file with the certificate and its chain. Relative paths start from this file's folder."""
    key: File
    """PEM file with the private key."""


class Server(Section):
    """The HTTP server, and who may call what."""

    host: Text = "127.0.0.1"
    """The address to listen on; 0.0.0.0 for all."""
    port: Port = 9855
    """The port to listen on; 0 for any that is free."""
    admin_token: MaybeToken = None
    """May do everything. Left out: the variable CONSERVATOR_ADMIN_TOKEN. null: nobody may."""
    admin_token_file: Maybe[File] = None
    """A file with the admin token, in place of `admin_token`."""
    app_token: MaybeToken = None
    """May read, and backfill one user: for the app's login hook."""
    app_token_file: Maybe[File] = None
    """A file with the app token, in place of `app_token`."""
    alert_token: MaybeToken = None
    """May only call /api/alerts: for Alertmanager."""
    alert_token_file: Maybe[File] = None
    """A file with the alert token, in place of `alert_token`."""
    read_token: MaybeToken = None
    """Set: reads need it too, except /healthz."""
    read_token_file: Maybe[File] = None
    """A file with the read token, in place of `read_token`."""
    allow_open: Switch = False
    """true: may listen beyond this machine without any token, for everybody to read."""
    backfills_a_minute: Maybe[Positive] = 600
    """Backfills of one user that one client may ask for in a minute. null: any number."""
    tls: Maybe[Tls] = None
    """Certificate and key, to serve HTTPS. null: HTTP."""
