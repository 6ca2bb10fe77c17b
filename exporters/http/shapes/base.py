"""What all answers share."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

_Shape = TypeVar("_Shape", bound=type)

Moment = Annotated[
    str, Field(json_schema_extra={"format": "date-time", "examples": ["2026-01-31T12:00:00.000Z"]})
]
"""ISO 8601 in UTC with a Z."""
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]


def described(shape: _Shape) -> _Shape:
    """The docstrings of a shape's fields are their descriptions."""
    return with_config(ConfigDict(use_attribute_docstrings=True))(shape)


@described
class Fault(TypedDict):
    """Why a call was not answered as asked."""

    code: str
    """A word for programs; each status of each call lists its own."""
    message: str
    """A sentence for people: what was expected, what was found, what to do."""


@described
class Problem(TypedDict):
    """Every answer from 400 on."""

    error: Fault
