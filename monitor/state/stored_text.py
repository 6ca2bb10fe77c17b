"""What people read of what we keep: reasons, messages, evidence, in whatever encoding a database
has. A character that it lacks is kept as `?`, so that a pause is made whatever its reason says.

Never an id: with another character it would be somebody else's. Nor the settings of a run, which
are read back: what the database lacks can't be executed there either.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg._encodings import pg2pyenc
from psycopg.abc import Buffer
from psycopg.types.string import StrDumperUnknown

STORED = frozenset(
    {
        *("reason", "outcome", "waiting_for", "message", "error", "holder"),
        *("evidence", "document"),
    }
)
"""The parameters of our statements that hold such texts, or JSON with such texts in it."""

_HOLDS_ALL = frozenset({"UTF8", "SQL_ASCII"})
_JAPANESE = "euc_jp"
_CODECS = {"EUC_JIS_2004": _JAPANESE}
_ELSEWHERE = frozenset("\xa2\xa3\xac\u2015\u2016\u2212\u301c\uffe3\uffe5")
"""Python has these where PostgreSQL has others that look the same."""
_IN_COMMON = 2
"""Bytes of a character, at most, that both have in every such encoding."""


class StoredText(str):
    """A text that is bound as far as the database can keep it."""

    __slots__ = ()


def stored(values: Mapping[str, object] | None) -> dict[str, object]:
    """The parameters of a statement, what people read among them as StoredText."""
    return {
        name: StoredText(value) if name in STORED and isinstance(value, str) else value
        for name, value in (values or {}).items()
    }


def storable(text: str, encoding: str) -> str:
    """`text` with a question mark for each character that PostgreSQL's `encoding` lacks, or may."""
    whole = text.replace("\x00", "?")
    if whole.isascii():
        return whole
    if encoding in _HOLDS_ALL:
        return whole.encode("utf-8", "replace").decode()
    codec = _codec(encoding)
    return "".join(letter if _is_held(letter, codec) else "?" for letter in whole)


def _is_held(letter: str, codec: str) -> bool:
    if codec == _JAPANESE and letter in _ELSEWHERE:
        return False
    try:
        held = letter.encode(codec)
        return held.decode(codec) == letter and len(held) <= _IN_COMMON
    except UnicodeError:
        return False


def _codec(encoding: str) -> str:
    try:
        return _CODECS.get(encoding) or pg2pyenc(encoding.encode())
    except psycopg.NotSupportedError:
        return "ascii"


class _StoredTextDumper(StrDumperUnknown):
    def dump(self, obj: str) -> Buffer | None:
        info = None if self.connection is None else self.connection.info
        encoding = None if info is None else info.parameter_status("server_encoding")
        return super().dump(storable(obj, encoding or "UTF8"))


# Before any engine is made: each copies what it finds here.
psycopg.adapters.register_dumper(StoredText, _StoredTextDumper)
