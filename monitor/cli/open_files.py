"""Open files: how many of them may be connections of clients."""

from __future__ import annotations

import resource

import structlog

from exporters.http.limits import MAX_CONNECTIONS
from exporters.http.server import BACKLOG
from monitor.config import Settings

log = structlog.get_logger(__name__)

OTHERS = 48
"""Logs, the loop's own, files that are read again, names that are looked up, what is pushed, the
worker's pipes, a run's own connections."""
LEASE = 1
LEAST_CLIENTS = 8


def room_for_clients(settings: Settings) -> int:
    """How many connections of clients leave enough open files to all the rest. The process's limit
    is raised as far as that needs and the system lets it."""
    database = settings.database
    pools = database.pool_size * (1 if database.read_url is None else 2) + LEASE
    rest = pools + OTHERS + BACKLOG
    wanted = rest + MAX_CONNECTIONS
    found, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = found
    if 0 <= found < wanted:  # negative: there is none
        limit = wanted if most < 0 else max(found, min(wanted, most))
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
    clients = MAX_CONNECTIONS if limit < 0 else min(MAX_CONNECTIONS, limit - rest)
    clients = max(LEAST_CLIENTS, clients)
    write = log.info if clients == MAX_CONNECTIONS else log.warning
    write("open_files", limit=limit, found=found, clients=clients)
    return clients
