"""What every group of keys has in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from monitor.config.errors import ContradictionsError, InvalidValueError
from monitor.config.interpolation import retyped


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
