"""`${NAME}` and `${NAME:-fallback}` in one scalar of the document, after YAML was parsed.

Because only scalars are expanded, a value can't add keys or change the structure. A fallback
may hold variables of its own. As in a shell, `:-` also stands in for a variable that is empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from monitor.config.mistakes import UnfitError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RETYPED = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float"))

_LARGEST = 10**300


class Expanded(str):
    """Text that came from exactly one variable: where no text is wanted, it may be a number."""

    __slots__ = ()

    def retyped(self) -> object:
        """What YAML makes of the text as a plain scalar: null, a boolean, a number, else text."""
        loader: Any = yaml.SafeLoader("")
        text = self.strip()
        tag = loader.resolve(yaml.ScalarNode, text, (True, False))
        if tag not in _RETYPED:
            return str(self)
        try:
            value = loader.construct_object(yaml.ScalarNode(tag, text))
        except ValueError:
            return str(self)
        return str(self) if is_endless(value) else value


def is_endless(value: object) -> bool:
    """Whether it is a whole number too long for a float, and soon for text: nobody's setting."""
    return isinstance(value, int) and abs(value) > _LARGEST


def expand(text: str, environ: Mapping[str, str]) -> str:
    """`text` with its variables replaced; an Expanded if it is one variable and nothing else.

    Raises UnfitError for variables that are not set, and for a `${` that is not a variable.
    """
    if "${" not in text:
        return text
    reader = _Reader(text, environ)
    result = reader.read(in_fallback=False)
    if reader.unset:
        names = ", ".join(dict.fromkeys(reader.unset))
        raise _unset(names, reader.unset[0])
    return Expanded(result) if reader.whole else result


class _Reader:
    """Reads one scalar from left to right."""

    def __init__(self, text: str, environ: Mapping[str, str]) -> None:
        self.text = text
        self.environ = environ
        self.at = 0
        self.unset: list[str] = []
        self.whole = False

    def read(self, *, in_fallback: bool) -> str:
        """Up to the end, or to the brace that closes the fallback (which is left unread)."""
        parts: list[str] = []
        while self.at < len(self.text):
            if self._next("$${"):
                parts.append("${")
            elif self._next("${"):
                parts.append(self._variable())
            elif in_fallback and self.text[self.at] == "}":
                break
            else:
                parts.append(self.text[self.at])
                self.at += 1
        return "".join(parts)

    def _variable(self) -> str:
        """The value of the variable whose name begins here."""
        start = self.at - len("${")
        name = _NAME.match(self.text, self.at)
        if name is None:
            raise self._malformed(start)
        self.at = name.end()
        fallback = self._fallback() if self._next(":-") else None
        if not self._next("}"):
            raise self._malformed(start)
        self.whole = start == 0 and self.at == len(self.text)
        return self._value(name.group(), fallback)

    def _fallback(self) -> tuple[str, list[str]]:
        """The fallback's text, and the variables it lacks: a mistake only where it is used."""
        before = len(self.unset)
        text = self.read(in_fallback=True)
        lacking = self.unset[before:]
        del self.unset[before:]
        return text, lacking

    def _value(self, name: str, fallback: tuple[str, list[str]] | None) -> str:
        value = self.environ.get(name)
        if fallback is not None and not value:
            text, lacking = fallback
            self.unset.extend(lacking)
            return text
        if value is None:
            self.unset.append(name)
            return ""
        return value

    def _next(self, token: str) -> bool:
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def _malformed(self, start: int) -> UnfitError:
        # The text may be a secret: only the position is shown.
        return UnfitError(
            "${NAME} or ${NAME:-fallback}",
            f"another form at character {start + 1}",
            "correct it, or write $${ for a literal ${",
        )


def _unset(names: str, first: str) -> UnfitError:
    several = "," in names
    return UnfitError(
        f"a value in the environment variable{'s' if several else ''} {names}",
        "nothing",
        f"set {'them' if several else 'it'}, or write a fallback: ${{{first}:-…}}",
    )
