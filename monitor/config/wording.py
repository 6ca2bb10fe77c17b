"""What pydantic found, as sentences: expected, found, what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, get_args

from monitor.config.mistakes import Loc, path_of, sentence, shown, suggestion
from monitor.config.model import Settings
from monitor.config.section import Section

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_WHOLE = "a whole number"
_NUMBER = "a number"
_SWITCH = "true or false"
_GROUP = "a group of keys"
_LIST = "a list"

_PATTERNS = {
    "^[a-z][a-z0-9_]{0,62}$": "a name of lower-case letters, digits and underscores",
    "^(expect|unexpected)_[a-z0-9_]+$": (
        "an expectation such as expect_column_values_to_not_be_null"
    ),
}

_EXPECTED: dict[str, Callable[[dict[str, Any]], str]] = {
    "int_type": lambda _: _WHOLE,
    "int_from_float": lambda _: _WHOLE,
    "float_type": lambda _: _NUMBER,
    "finite_number": lambda _: "a finite number",
    "bool_type": lambda _: _SWITCH,
    "model_type": lambda _: _GROUP,
    "model_attributes_type": lambda _: _GROUP,
    "dict_type": lambda _: _GROUP,
    "mapping_type": lambda _: _GROUP,
    "tuple_type": lambda _: _LIST,
    "too_short": lambda ctx: f"a list of at least {ctx['min_length']}",
    "greater_than": lambda ctx: f"a number above {ctx['gt']:g}",
    "greater_than_equal": lambda ctx: f"{ctx['ge']} or more",
    "less_than_equal": lambda ctx: f"no more than {ctx['le']}",
    "enum": lambda ctx: str(ctx["expected"]).replace("'", ""),
    "string_pattern_mismatch": lambda ctx: _PATTERNS.get(ctx["pattern"], "another form"),
}

_REMEDIES = {
    _WHOLE: "write it without quotes or fraction",
    _NUMBER: "write it without quotes",
    _SWITCH: "write it without quotes",
    _GROUP: "indent its keys below it",
    _LIST: "begin each item with a dash",
}


def message_for(loc: Loc, details: ErrorDetails) -> str:
    """One finding of pydantic at `loc`, as a sentence."""
    kind = details["type"]
    context: dict[str, Any] = details.get("ctx", {})
    if kind == "value_error":  # an UnfitError of ours
        return str(context["error"])
    if kind == "missing":
        return _missing(loc)
    if kind == "extra_forbidden":
        return _unknown(loc)
    describe = _EXPECTED.get(kind)
    expected = describe(context) if describe else details["msg"]
    value = details["input"]
    return sentence(expected, _found(expected, value), _remedy(expected, value, kind))


def _found(expected: str, value: object) -> str:
    """Where a structure is expected, any scalar is misplaced and may be a secret: not shown."""
    if value == []:
        return "an empty one"
    if expected in {_GROUP, _LIST} and isinstance(value, str) and value:
        return "text"
    return shown(value)


def _remedy(expected: str, value: object, kind: str) -> str:
    if value is None:
        return "leave the key out to take its default"
    if kind == "enum" and (close := suggestion(str(value), re.split(r", | or ", expected))):
        return f"did you mean {close}?"
    if kind == "enum":
        return "write one of these"
    return _REMEDIES.get(expected, "correct it")


def _missing(loc: Loc) -> str:
    if loc == ("database", "url"):
        return sentence(
            "a PostgreSQL URL",
            "nothing",
            "set database.url, for example to ${DATABASE_URL}",
        )
    return sentence("a value", "nothing", f"add {loc[-1]}: it has no default")


def _unknown(loc: Loc) -> str:
    """An unknown key: what it was probably meant to be, or where it belongs."""
    *parent, key = loc
    known = tuple(_section_at(tuple(parent)).model_fields)
    close = suggestion(str(key), known)
    if close is not None:
        remedy = f"did you mean {close}?"
    elif home := next((path for path in _paths(Settings, ()) if path[-1] == key), None):
        remedy = f"did you mean {path_of(home)}?"
    else:
        remedy = f"remove it, or write one of {', '.join(known)}"
    return sentence("a known key", shown(str(key)), remedy)


def _section_at(loc: Loc) -> type[Section]:
    """The model of the group of keys at `loc`."""
    section: type[Section] = Settings
    for part in loc:
        if isinstance(part, str):
            section = _section_in(section.model_fields[part].annotation) or section
    return section


def _section_in(annotation: Any) -> type[Section] | None:
    """The first model in an annotation such as Maybe[Promql] or Several[SqlCheck]."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _section_in(arg))), None)


def _paths(section: type[Section], loc: Loc) -> Iterator[Loc]:
    for name, field in section.model_fields.items():
        yield (*loc, name)
        if inner := _section_in(field.annotation):
            yield from _paths(inner, (*loc, name))
