"""`${NAME}` and `${NAME:-fallback}` in one scalar of the file, after YAML was parsed.

Because only scalars are expanded, a value can't add keys or change the structure. As in a shell,
`:-` also stands in for a variable that is empty. A fallback is plain text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from monitor.config.errors import InvalidValueError

_VARIABLE = re.compile(
    r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<fallback>(?:(?!\$\{)[^}])*))?\}|\$\{"
)
"""`$${`, which stands for `${`; a variable; or a `${` that is none."""

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


def retyped(value: object) -> object:
    """What a variable's value is in YAML; anything else as it is."""
    return value.retyped() if isinstance(value, Expanded) else value


def is_endless(value: object) -> bool:
    """Whether it is a whole number too long for a float, and soon for text: nobody's setting."""
    return isinstance(value, int) and abs(value) > _LARGEST


def expand(text: str, environ: Mapping[str, str]) -> str:
    """`text` with its variables replaced; an Expanded if it is one variable and nothing else.

    Raises InvalidValueError for variables that are not set, and for a `${` that is not a variable.
    """
    unset: dict[str, None] = {}

    def replace(match: re.Match[str]) -> str:
        name, fallback = match["name"], match["fallback"]
        if match[0] == "$${":
            return "${"
        if name is None:
            raise InvalidValueError(  # the text may be a secret: only the position is shown
                "${NAME} or ${NAME:-fallback}",
                f"another form at character {match.start() + 1}",
                "correct it, or write $${ for a literal ${",
            )
        value = environ.get(name)
        if not value and fallback is not None:
            return fallback
        if value is None:
            unset[name] = None
        return value or ""

    result = _VARIABLE.sub(replace, text)
    if unset:
        several, first = len(unset) > 1, next(iter(unset))
        raise InvalidValueError(
            f"a value in the environment variable{'s' if several else ''} {', '.join(unset)}",
            "nothing",
            f"set {'them' if several else 'it'}, or write a fallback: ${{{first}:-…}}",
        )
    whole = _VARIABLE.fullmatch(text)
    return Expanded(result) if whole and whole["name"] else result
