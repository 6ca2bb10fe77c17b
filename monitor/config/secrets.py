"""Addresses, files and secrets: database URLs and tokens. No message shows any part of a secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
)

from monitor.config.database_url import parse_database_url, secret_text
from monitor.config.errors import HIDDEN, InvalidValueError, redact, repr_safe
from monitor.config.types import parse_text

SHORTEST_TOKEN = 16
"""Characters. Shorter ones can be guessed over the network."""


def parse_token(value: object) -> SecretStr:
    """A bearer token.

    Raises InvalidValueError where it is too short, or can't stand in a header.
    """
    text, remedy = secret_text(value), "make one with: openssl rand -hex 32"
    if len(text) < SHORTEST_TOKEN:
        expected = f"a token of at least {SHORTEST_TOKEN} characters"
        raise InvalidValueError(expected, f"one of {len(text)}", remedy)
    if not re.fullmatch(r"[!-~]+", text):
        expected = "a token of printable ASCII characters without spaces"
        raise InvalidValueError(expected, HIDDEN, remedy)
    return SecretStr(text)


def read_token(file: Path) -> SecretStr:
    """The token in a file, without the white space around it."""
    return parse_token(file.read_text(encoding="utf-8").strip())


def _with_token(file: Path) -> Path:
    read_token(file)
    return file


def _web_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        expected = "an http:// or https:// URL"
        raise InvalidValueError(expected, repr_safe(text), "name scheme and host")
    return text


def _readable_file(path: Path, info: ValidationInfo) -> Path:
    """The whole path of a text file that can be read; relative ones start from `info.context`.

    The message does not show its name: it may be a token that was written to the wrong key.
    """
    base: Path = info.context or Path()
    try:
        (base / path).read_text(encoding="utf-8")
    except OSError as error:
        reason = f"none ({error.strerror})"
    except ValueError:
        reason = "one of other bytes"
    else:
        return base / path
    origin = "" if path.is_absolute() else f", looked for from {base.absolute()} on"
    raise InvalidValueError("a readable text file", f"{reason}{origin}", "correct the path")


WebUrl = Annotated[
    str,
    BeforeValidator(parse_text),
    AfterValidator(_web_url),
    PlainSerializer(redact, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^https?://|\$\{"}),
]
File = Annotated[
    Path,
    BeforeValidator(lambda value: value if isinstance(value, Path) else Path(parse_text(value))),
    AfterValidator(_readable_file),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
_MASKED = PlainSerializer(lambda _: "***", return_type=str, when_used="json")
DatabaseUrl = Annotated[
    SecretStr,
    PlainValidator(parse_database_url),
    _MASKED,
    WithJsonSchema({"type": "string", "pattern": r"^postgres(ql(\+psycopg)?)?://|\$\{"}),
]
Token = Annotated[
    SecretStr,
    PlainValidator(parse_token),
    _MASKED,
    WithJsonSchema({"type": "string", "pattern": rf"^$|^[!-~]{{{SHORTEST_TOKEN},}}$|\$\{{"}),
]
MaybeToken = Annotated[Token | None, BeforeValidator(lambda value: None if value == "" else value)]
"""A token, or none: null and the empty text mean the same."""

TokenFile = Annotated[File, AfterValidator(_with_token)]
"""A file with nothing but a usable token in it."""
