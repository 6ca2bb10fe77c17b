"""Data against the model: all mistakes at once, each as expected, found, and what to do.

What does not fit is left out and the rest validated again, so that no mistake hides another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError

from monitor.config.base import Section
from monitor.config.errors import (
    ContradictionsError,
    ErrorCollector,
    Loc,
    path_of,
    repr_safe,
    sentence,
    suggestion,
)
from monitor.config.model import Settings

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_URL: Loc = ("database", "url")
_STAND_IN = "postgresql:///"
"""Takes the place of a URL that is missing or wrong, until the mistakes are told."""

_GROUP = ("a group of keys", "indent its keys below it")
_LIST = ("a list", "begin each item with a dash")
_WHOLE = ("a whole number", "write it without quotes or fraction")
_EXPECTED = {
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": ("a number", "write it without quotes"),
    "finite_number": ("a finite number", "correct it"),
    "bool_type": ("true or false", "write it without quotes"),
    "model_type": _GROUP,
    "dict_type": _GROUP,
    "mapping_type": _GROUP,
    "tuple_type": _LIST,
    "too_short": ("a list of at least {min_length}", "add to it"),
    "greater_than": ("a number above {gt:g}", "write more"),
    "greater_than_equal": ("{ge} or more", "write more"),
    "less_than_equal": ("no more than {le}", "write less"),
}
"""By pydantic's types of error: what was expected, and what to do."""


def validate(data: dict[str, object], errors: ErrorCollector, base_dir: Path) -> Settings | None:
    """The settings in `data`, with all that is wrong with them noted in `errors`.

    Files that it names are looked for from `base_dir` on. What is left out because it is broken
    takes its default in the result; None where nothing sound remains.
    """
    while True:
        sound = _Sound(data, errors)
        try:
            return Settings.model_validate(sound.data, context=base_dir)
        except ValidationError as error:
            before = len(errors.broken)
            for details in error.errors(include_url=False):
                sound.note(details)
            if len(errors.broken) == before:
                return None


class _Sound:
    """A document less what is broken in it, and what is then still wrong with it."""

    def __init__(self, data: dict[str, object], errors: ErrorCollector) -> None:
        self.errors = errors
        self.broken = frozenset(errors.broken)
        self.holders = {loc[:length] for loc in self.broken for length in range(len(loc))}
        self.positions: dict[Loc, list[int]] = {}
        self.data: dict[str, Any] = self._group(data, ())
        self.data.setdefault("database", {})
        if _URL in self.broken:
            database = self.data["database"]
            others = database if isinstance(database, dict) else {}
            self.data["database"] = {**others, "url": _STAND_IN}

    def _group(self, node: dict[str, Any], loc: Loc) -> dict[str, Any]:
        kept = (key for key in node if (*loc, key) not in self.broken)
        return {key: self._part(node[key], (*loc, key)) for key in kept}

    def _part(self, node: object, loc: Loc) -> object:
        if isinstance(node, dict):
            return self._group(node, loc)
        if isinstance(node, list):
            kept = [index for index in range(len(node)) if (*loc, index) not in self.broken]
            self.positions[loc] = kept
            return [self._part(node[index], (*loc, index)) for index in kept]
        return node

    def note(self, details: ErrorDetails) -> None:
        """Notes what one error of pydantic says."""
        cause = details.get("ctx", {}).get("error")
        if isinstance(cause, ContradictionsError):
            for error in cause.errors:
                about = [self._original((*details["loc"], *key)) for key in error.keys]
                self._note(about, str(error), about)
        else:
            loc = self._original(details["loc"])
            incomplete = details["type"] == "missing" and loc != _URL
            self._note([loc], _message(loc, details), [loc[:-1] if incomplete else loc])

    def _note(self, about: list[Loc], message: str, culprits: list[Loc]) -> None:
        """A mistake at the first place, unless it only follows from what was left out.

        To get on, one of the culprits is left out next time.
        """
        if not any(map(self._is_affected, about)):
            self.errors.add(about[0], message)
        left = [loc for loc in culprits if loc not in self.errors.broken]
        self.errors.broken.update(left[:1])

    def _original(self, loc: Loc) -> Loc:
        """`loc` with the positions that list items had before broken ones were left out."""
        result: Loc = ()
        for part in loc:
            kept = self.positions.get(result)
            result = (*result, kept[part] if kept and isinstance(part, int) else part)
        return result

    def _is_affected(self, loc: Loc) -> bool:
        """Whether something broken stands at `loc`, above it, or was left out of it."""
        above = (loc[:length] for length in range(len(loc) + 1))
        return loc in self.holders or any(part in self.broken for part in above)


def _message(loc: Loc, details: ErrorDetails) -> str:
    """One error of pydantic at `loc`, as a sentence."""
    kind, value = details["type"], details["input"]
    context: dict[str, Any] = details.get("ctx", {})
    if kind == "value_error":  # an InvalidValueError
        return str(context["error"])
    if kind == "missing":
        return _missing(loc)
    if kind == "extra_forbidden":
        return _unknown(loc)
    if kind == "enum":
        expected = context["expected"].replace("'", "")
        close = suggestion(str(value), re.split(", | or ", expected))
        remedy = f"did you mean {close}?" if close else "write one of these"
    else:
        form, remedy = _EXPECTED.get(kind, ("another value", "correct it"))
        expected = form.format(**context)
    found = "an empty one" if value == [] else repr_safe(value)
    if (expected, remedy) in {_GROUP, _LIST} and isinstance(value, str) and value:
        found = "text"  # misplaced, it may be a secret
    if value is None:
        remedy = "leave the key out to take its default"
    return sentence(expected, found, remedy)


def _missing(loc: Loc) -> str:
    if loc == _URL:
        remedy = "set database.url, for example to ${DATABASE_URL}"
        return sentence("a PostgreSQL URL", "nothing", remedy)
    return sentence("a value", "nothing", f"add {loc[-1]}: it has no default")


def _unknown(loc: Loc) -> str:
    """An unknown key: what it was probably meant to be, or where it belongs."""
    *parent, key = (part for part in loc if isinstance(part, str))
    keys = _all_keys()
    known = [path[-1] for path in keys if path[:-1] == tuple(parent)]
    if close := suggestion(key, known):
        remedy = f"did you mean {close}?"
    elif home := next((path for path in keys if path[-1] == key), None):
        remedy = f"did you mean {path_of(home)}?"
    else:
        remedy = f"remove it, or write one of {', '.join(known)}"
    return sentence("a known key", repr_safe(key), remedy)


@cache
def _all_keys() -> tuple[tuple[str, ...], ...]:
    return tuple(_key_paths(Settings, ()))


def _key_paths(section: type[Section], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every key that there is, in the order of the model."""
    for name, field in section.model_fields.items():
        yield (*path, name)
        if inner := _section_in(field.annotation):
            yield from _key_paths(inner, (*path, name))


def _section_in(annotation: Any) -> type[Section] | None:
    """The first model in an annotation such as Maybe[Promql] or Several[SqlCheck]."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _section_in(arg))), None)
