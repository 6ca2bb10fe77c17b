"""The types of plain keys: text, numbers, switches, and what may be absent or repeated.

Each accepts what YAML gives, and an `Expanded` from the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, Strict, StringConstraints, WithJsonSchema

from monitor.config.environment import Expanded
from monitor.config.mistakes import UnfitError, shown

T = TypeVar("T")


def retyped(value: object) -> object:
    """What a variable's value is in YAML; anything else as it is."""
    return value.retyped() if isinstance(value, Expanded) else value


def _retyped_throughout(value: object) -> object:
    if isinstance(value, dict):
        return {key: _retyped_throughout(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_retyped_throughout(item) for item in value]
    return retyped(value)


def _absent_if_blank(value: object) -> object:
    return None if retyped(value) is None else value


def _empty_if_null(value: object) -> object:
    return [] if retyped(value) is None else value


def _nothing_if_null(value: object) -> object:
    return {} if retyped(value) is None else value


Maybe = Annotated[T | None, BeforeValidator(_absent_if_blank)]
"""T, or null; a variable that is empty counts as null."""

Several = Annotated[tuple[T, ...], BeforeValidator(_empty_if_null)]
"""Any number of T, in order."""

Positive = Annotated[int, Strict(), Field(ge=1), BeforeValidator(retyped)]
Natural = Annotated[int, Strict(), Field(ge=0), BeforeValidator(retyped)]
Port = Annotated[int, Strict(), Field(ge=0, le=65_535), BeforeValidator(retyped)]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False), BeforeValidator(retyped)]
PositiveNumber = Annotated[
    float, Strict(), Field(gt=0, allow_inf_nan=False), BeforeValidator(retyped)
]
Switch = Annotated[bool, Strict(), BeforeValidator(retyped)]
Arguments = Annotated[
    Mapping[str, Annotated[Any, BeforeValidator(_retyped_throughout)]],
    BeforeValidator(_nothing_if_null),
]
"""Any values, at any depth, handed on to somebody else's library."""


def _text(value: object) -> object:
    """Text. A value that YAML read as something else is not turned back: it may have changed."""
    if not isinstance(value, str):
        scalar = value is not None and not isinstance(value, list | dict)
        remedy = "put it in quotes" if scalar else "write some, or leave the key out"
        raise UnfitError("text", shown(value), remedy)
    if not value.strip():
        raise UnfitError("text", "nothing", "write some, or leave the key out")
    if "\0" in value:
        raise UnfitError("text", "a NUL character in it", "remove that character")
    return str(value)


Text = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": "string", "minLength": 1})]


def _sql(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else _text(value)


SqlExpression = Annotated[
    str, BeforeValidator(_sql), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
"""An SQL expression; a bare number or boolean is one too."""

Expressions = Annotated[Mapping[str, SqlExpression], BeforeValidator(_nothing_if_null)]
"""Names to SQL expressions."""

_NAME_PATTERN = "^[a-z][a-z0-9_]{0,62}$"
Name = Annotated[
    str,
    StringConstraints(pattern=_NAME_PATTERN),
    BeforeValidator(_text),
    WithJsonSchema({"type": "string", "pattern": _NAME_PATTERN}),
]
"""The name of a check: it becomes the value of a label, and an argument on the command line."""
