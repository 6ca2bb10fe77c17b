"""The operator's Prometheus query: one number.

https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from yarl import URL

from monitor.healing.throttle.throttle import Unknown

if TYPE_CHECKING:
    import aiohttp

MAX_BYTES = 1 << 20
"""Of an answer; one number takes a few hundred."""
_SHOWN_CHARACTERS = 200
_OK = 200
_EXPECTED = "one number is expected, such as from sum(…) or max(…)"


@dataclass(frozen=True, slots=True)
class PromqlQuery:
    """What is asked, and where."""

    url: str = field(repr=False)
    """The server; may hold a password or a token, so it is never told to anybody."""
    query: str


async def read_value(
    asked: PromqlQuery | None, *, timeout_seconds: float
) -> float | Unknown | None:
    """The query's value now; None without a query. Never raises for what the server does."""
    if asked is None:
        return None
    # Loaded for who asks: every command would wait a fifth of a second for it.
    import aiohttp  # noqa: PLC0415

    base = URL(asked.url)
    address = (
        base.with_path(base.path.rstrip("/") + "/api/v1/query")
        .with_query(base.query)
        .update_query(query=asked.query)
    )
    timeout = aiohttp.ClientTimeout(total=timeout_seconds)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(address) as response,
        ):
            body = await _body(response)
    except TimeoutError:
        return _unknown(base, f"did not answer within {timeout_seconds:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return _unknown(base, f"can't be asked ({_describe(error)})")
    if body is None:
        return _unknown(base, f"answered more than {MAX_BYTES >> 10} KiB; {_EXPECTED}")
    found = value_of(body, response.status)
    return found if isinstance(found, float) else _unknown(base, found)


def value_of(body: bytes, status: int) -> float | str:
    """The number in an answer, or what is wrong with the answer."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, Mapping):
        return f"answered with HTTP {status} and something else than JSON of a query"
    if document.get("status") != "success" or status != _OK:
        error = document.get("error") or document.get("status")
        return f"answered with HTTP {status}: {str(error)[:_SHOWN_CHARACTERS]}"
    data = document.get("data")
    kind, result = (
        (data.get("resultType"), data.get("result")) if isinstance(data, Mapping) else (None, None)
    )
    if kind == "vector" and isinstance(result, list):
        if len(result) != 1:
            return f"returned {len(result) or 'no'} series; {_EXPECTED}"
        result = result[0].get("value") if isinstance(result[0], Mapping) else None
    elif kind != "scalar":
        return f"returned a {str(kind)[:20]}; {_EXPECTED}"
    return _number(result)


def _number(sample: object) -> float | str:
    """The value of a sample, [moment, "text of the number"]."""
    match sample:
        case [_, str(text)]:
            pass
        case _:
            text = ""
    try:
        number = float(text)
    except ValueError:
        return f"returned a sample without a number; {_EXPECTED}"
    return f"returned NaN; {_EXPECTED}" if math.isnan(number) else number


async def _body(response: aiohttp.ClientResponse) -> bytes | None:
    """The whole body, or None where it is too long to be read."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BYTES:
            return None
    return bytes(body)


def _describe(error: Exception) -> str:
    """What happened, without the URL, which some of these errors repeat."""
    reason = getattr(error, "strerror", None)
    return str(reason) if reason else type(error).__name__


def _unknown(base: URL, problem: str) -> Unknown:
    shown = base.origin() if base.absolute else "the server"
    return Unknown(f"healing.pace.promql: Prometheus at {shown} {problem}.")
