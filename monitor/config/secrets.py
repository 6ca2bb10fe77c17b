"""Secrets: database URLs and tokens. No message shows any part of one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, PlainValidator, SecretStr, WithJsonSchema

from monitor.config.mistakes import HIDDEN, UnfitError

DRIVER = "postgresql+psycopg://"
_SCHEMES = ("postgres://", "postgresql://", DRIVER)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,30}://", re.IGNORECASE)

SHORTEST_TOKEN = 16
"""Characters. Shorter ones can be guessed over the network."""


def parse_database_url(text: str) -> str:
    """`text` itself, where it is a PostgreSQL URL that SQLAlchemy can read.

    Raises UnfitError, which names the scheme found but nothing else of the URL.
    """
    if not text.startswith(_SCHEMES):
        scheme = _SCHEME.match(text)
        found = f"{scheme.group()}…" if scheme else HIDDEN
        remedy = "change the scheme" if scheme else "write it as postgresql://user@host/database"
        raise UnfitError(
            "a URL that begins with postgres://, postgresql:// or postgresql+psycopg://",
            found if text else "nothing",
            remedy,
        )
    if not _readable(text):
        raise UnfitError(
            "a URL such as postgresql://user:password@host:5432/database",
            HIDDEN,
            "correct host and port, and percent-encode special characters of the password",
        )
    return text


def sqlalchemy_url(text: str) -> str:
    """The same URL with the scheme by which SQLAlchemy finds psycopg 3."""
    return DRIVER + text.partition("://")[2]


def _readable(text: str) -> bool:
    from sqlalchemy.engine.url import make_url  # noqa: PLC0415 - keeps the import of us light
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        url = make_url(sqlalchemy_url(text))
    except (ArgumentError, ValueError):
        return False
    highest_port = 65_535
    return url.port is None or 0 < url.port <= highest_port


def parse_token(text: str) -> SecretStr:
    """A bearer token. Raises UnfitError where it is too short, or can't stand in a header."""
    if len(text) < SHORTEST_TOKEN:
        raise UnfitError(
            f"a token of at least {SHORTEST_TOKEN} characters",
            f"one of {len(text)}",
            "make one with: openssl rand -hex 32",
        )
    if not re.fullmatch(r"[!-~]+", text):
        raise UnfitError(
            "a token of printable ASCII characters without spaces",
            HIDDEN,
            "make one with: openssl rand -hex 32",
        )
    return SecretStr(text)


def _secret(parse: Callable[[str], str | SecretStr]) -> Callable[[object], object]:
    """A validator of a secret: whatever is wrong with it, its value stays unseen."""

    def read(value: object) -> SecretStr:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not isinstance(text, str):
            found = "nothing" if text is None else HIDDEN
            raise UnfitError("text", found, "put it in quotes, or take it from a variable")
        parsed = parse(str(text))
        return parsed if isinstance(parsed, SecretStr) else SecretStr(parsed)

    return read


def _hidden(_: SecretStr) -> str:
    return "***"


DatabaseUrl = Annotated[
    SecretStr,
    PlainValidator(_secret(parse_database_url)),
    PlainSerializer(_hidden, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^postgres(ql(\+psycopg)?)?://|\$\{"}),
]


def _token_or_none(value: object) -> object:
    return None if value is None or value == "" else value


Token = Annotated[
    SecretStr,
    PlainValidator(_secret(parse_token)),
    PlainSerializer(_hidden, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": rf"^$|^[!-~]{{{SHORTEST_TOKEN},}}$|\$\{{"}),
]
MaybeToken = Annotated[Token | None, BeforeValidator(_token_or_none)]
"""A token, or none: null and the empty text mean the same."""
