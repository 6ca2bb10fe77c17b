"""What every group of keys has in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from monitor.config.scalars import retyped


class Section(BaseModel):
    """A frozen group of keys that refuses others. The docstring of a key is its description."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_if_null(cls, data: Any) -> Any:
        """A group whose keys are all commented out reads as null: it takes every default."""
        return {} if retyped(data) is None else data
