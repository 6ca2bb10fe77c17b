"""Loaded by schemathesis: every request comes from an address of its own.

It tries wrong tokens on every call. The limit on those, which counts by address and is tested
elsewhere, would answer in place of what the checks are about.
"""

from __future__ import annotations

from itertools import count
from socket import socket
from typing import Any

from urllib3.util import connection

_numbers = count(2)
_connect = connection.create_connection


def _from_another_address(address: tuple[str, int], *rest: Any, **more: Any) -> socket:
    """All of 127.0.0.0/8 is this machine."""
    number = next(_numbers)
    source = ".".join(str(part) for part in (127, *number.to_bytes(3)))
    return _connect(address, *rest, **{**more, "source_address": (source, 0)})


connection.create_connection = _from_another_address
