"""What every group of keys has in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from operator import attrgetter
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from monitor.config.errors import ContradictionsError, InvalidValueError
from monitor.config.interpolation import retyped
from monitor.config.types import format_duration


class Section(BaseModel):
    """A frozen group of keys that refuses others. The docstring of a key is its description."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    def contradictions(self) -> Iterable[InvalidValueError]:
        """What does not go together in this section, each with the keys that were compared."""
        return ()

    def out_of_order(
        self, low: str, high: str, *, may_be_equal: bool = False
    ) -> Iterator[InvalidValueError]:
        """What is wrong where the value of one key is not below that of another."""
        value, limit = attrgetter(low, high)(self)
        if value > limit or (value == limit and not may_be_equal):
            write = format_duration if isinstance(limit, timedelta) else "{:.15g}".format
            expected = f"{'no more' if may_be_equal else 'less'} than {high} ({write(limit)})"
            yield InvalidValueError(expected, write(value), f"lower it, or raise {high}", low, high)

    @model_validator(mode="before")
    @classmethod
    def _defaults_if_null(cls, data: Any) -> Any:
        """A group whose keys are all commented out reads as null: it takes every default."""
        return {} if retyped(data) is None else data

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if found := list(self.contradictions()):
            raise ContradictionsError(found)
        return self
