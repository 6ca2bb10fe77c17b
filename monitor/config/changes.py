"""What is different between two configurations, by key and never by value."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from monitor.config.model import Settings
from monitor.config.server import TOKENS

_EXCHANGEABLE = frozenset(
    f"server.{name}" for token in TOKENS for name in (token, f"{token}_file")
) | {"server.tls.cert", "server.tls.key"}
"""What a running service takes at once."""


def changed(before: Settings, after: Settings) -> list[str]:
    """The keys whose values differ, each with its path."""
    return list(_differing(before, after, ""))


def is_exchangeable(path: str) -> bool:
    """Whether a running service can take this key's value at once."""
    return path in _EXCHANGEABLE


def _differing(before: object, after: object, path: str) -> Iterator[str]:
    if type(before) is type(after) and isinstance(before, BaseModel):
        for name in type(before).model_fields:
            here = f"{path}.{name}" if path else name
            yield from _differing(getattr(before, name), getattr(after, name), here)
    elif before != after:
        yield path
