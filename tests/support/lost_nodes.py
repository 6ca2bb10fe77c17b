"""What a coordinator of Citus says when a node goes away, word by word (Citus 13.2.2)."""

from __future__ import annotations

from tests.support.protocol import ErrorTold

NODE = "127.0.0.1:9702"
_WHILE = f"while executing command on {NODE}"
_TO = f"connection to the remote node gallery@{NODE} failed with the following error: "
_RUNNING = (
    "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?"
)
_RECOVERING = (
    "FATAL:  the database system is not yet accepting connections\n"
    "DETAIL:  Consistent recovery state has not been yet reached."
)
_ON_LIBPQ = (
    "SSL SYSCALL error: EOF detected",
    "server closed the connection unexpectedly",
    "connection not open",
    "no connection to the server",
    "could not receive data from server: Connection reset by peer",
    "SSL connection has been closed unexpectedly",
    "SSL error: unexpected eof while reading",
)
LOST = (
    ErrorTold("XX000", f"failure on connection marked as essential: {NODE}"),
    *(ErrorTold("XX000", told, _WHILE) for told in _ON_LIBPQ),
    ErrorTold("08006", _TO + _RUNNING),
    ErrorTold("08006", _TO + _RECOVERING),
    ErrorTold("08006", _TO + "connection not open"),
    ErrorTold("57P01", "terminating connection due to administrator command", _WHILE),
    ErrorTold("57P01", "terminating connection due to unexpected postmaster exit", _WHILE),
    ErrorTold("25P03", "terminating connection due to idle-in-transaction timeout", _WHILE),
)
"""One and the same event, by the moment at which it happens."""
TOO_LARGE = ErrorTold(
    "XX000",
    "the intermediate result size exceeds citus.max_intermediate_result_size (currently 5 kB)",
)
"""An internal error that no waiting mends."""
