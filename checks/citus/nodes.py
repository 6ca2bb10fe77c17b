"""The other nodes of a cluster: what a transaction tells them, and how to see that one is away."""

from __future__ import annotations

import re
from collections.abc import Mapping

import psycopg
from psycopg import sql

OURS_ALONE = frozenset(
    {
        *("transaction_read_only", "synchronous_commit", "idle_in_transaction_session_timeout"),
        *("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"),
    }
)
"""Settings that are not for the other nodes. Citus begins their transactions as ours is; what it
commits on several nodes it must find again after a crash, or they would disagree; a node idles
while another one works, and ends with ours; and our connection leads to one node."""

IDLE = "25P03"
"""SQLSTATE of a session that was ended for idling in its transaction."""
_INTERNAL_ERROR = "XX000"
_CONNECTION = "08"
_LOST = (
    "failure on connection marked as essential",
    "EOF detected",
    "server closed the connection",
    "connection not open",
    "no connection to the server",
    "could not receive data from server",
    "SSL connection has been closed",
    "unexpected eof while reading",
    "Connection reset",
)
"""What libpq and Citus say of a connection to a node that ended without a SQLSTATE: it has that of
an internal error then, as have errors that stay."""
_ON_NODE = re.compile(
    r"connection to the remote node (?:[^@\s]*@)?(?P<asked>\S+:\d+) failed"
    r"|connection marked as essential: (?P<needed>\S+:\d+)"
)
_WHILE = re.compile(r"while executing command on (?P<node>\S+:\d+)")
_SHARD = re.compile(r"_\d{6,}\b")
"""The number of a shard, at the end of what its relation, or a constraint of it, is called."""


def on_nodes(settings: Mapping[str, str]) -> list[str]:
    """The commands that make `settings` on the nodes.

    Only SET LOCAL is passed on, and only when that is asked for; set_config() never is.
    """
    commands = ["SET LOCAL citus.propagate_set_commands = 'local'"]
    commands += [
        f"SET LOCAL {name} = {sql.Literal(value).as_string(None)}"
        for name, value in settings.items()
        if name not in OURS_ALONE
    ]
    if "synchronous_commit" in settings:
        commands.append("SET LOCAL synchronous_commit TO DEFAULT")
    return commands


def is_lost_node(error: psycopg.Error) -> bool:
    """Whether the coordinator, whose own connection goes on, says that it has lost a node."""
    told, state = _message(error), error.sqlstate or ""
    if state == _INTERNAL_ERROR:
        return any(words in told for words in _LOST)
    return state.startswith(_CONNECTION) and _ON_NODE.search(told) is not None


def node_of(error: psycopg.Error) -> str | None:
    """The node, as host and port, that the error comes from, where it says so."""
    found = _ON_NODE.search(_message(error)) or _WHILE.search(error.diag.context or "")
    return None if found is None else next(one for one in found.groups() if one)


def lost_sentence(error: psycopg.Error) -> str:
    """What a lost node means to whoever asked."""
    node = node_of(error)
    named = "" if node is None else f" ({node})"
    told = " ".join(_message(error).split()).rstrip(".")
    return (
        f"A node of the cluster{named} can't be used: {told}. Check that it runs and that the"
        " coordinator reaches it; what was under way goes on once it answers."
    )


def without_shards(error: psycopg.Error, text: str) -> str:
    """The error's text in the words that it has for every shard alike."""
    return text if node_of(error) is None else _SHARD.sub("", text)


def _message(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error)
