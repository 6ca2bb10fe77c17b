"""Query parameters and numbers in paths, strictly: a misspelt one must not be overlooked."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aiohttp import hdrs, web

from exporters.http.errors import ApiError, bad_request

MAX_NUMBER = 2**63 - 1
"""The largest bigint: no run or batch has a higher number."""
MAX_LIMIT = 200

_DIGITS = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for."""

    limit: int
    cursor: int | None


def parameters(request: web.Request, *known: str) -> dict[str, str]:
    """The query's parameters, each of them known and given once. Raises ApiError."""
    found: dict[str, str] = {}
    for name, value in request.query.items():
        if name not in known:
            expected = " or ".join(known) or "none"
            raise bad_request(f"{name[:60]}: unknown parameter, expected {expected}.")
        if name in found:
            raise bad_request(f"{name}: expected once, found several times.")
        found[name] = value
    return found


def page(request: web.Request, cursor: str, *, default_limit: int) -> Page:
    """`limit` and the parameter named `cursor`. Raises ApiError."""
    found = parameters(request, "limit", cursor)
    limit = _number(found, "limit", 1, MAX_LIMIT)
    return Page(default_limit if limit is None else limit, _number(found, cursor, 0, MAX_NUMBER))


def next_page(request: web.Request, cursor: str, following: int | None) -> dict[str, str]:
    """The header that leads to the page that follows, where one does."""
    if following is None:
        return {}
    query = request.rel_url.update_query({cursor: str(following)}).raw_query_string
    # Relative to the page itself, so that it leads there through any proxy.
    return {hdrs.LINK: f'<?{query}>; rel="next"'}


def limit(request: web.Request, *, default: int) -> int:
    """`limit`, and nothing else. Raises ApiError."""
    found = _number(parameters(request, "limit"), "limit", 1, MAX_LIMIT)
    return default if found is None else found


def run_id(request: web.Request) -> int:
    """The run's number in the path. Raises ApiError 404 for what can't be one."""
    text = request.match_info["run_id"]
    number = _parse(text)
    if number is None or not 1 <= number <= MAX_NUMBER:
        raise no_such_run(text[:60])
    return number


def no_such_run(number: object) -> ApiError:
    """404."""
    return ApiError(404, "unknown_run", f"There is no run {number}; see /api/runs.")


def _number(found: dict[str, str], name: str, low: int, high: int) -> int | None:
    text = found.get(name)
    if text is None:
        return None
    number = _parse(text)
    if number is None or not low <= number <= high:
        raise bad_request(
            f"{name}: expected a whole number from {low} to {high}, found {text[:60]!r}."
        )
    return number


def _parse(text: str) -> int | None:
    return int(text) if _DIGITS.fullmatch(text) else None
