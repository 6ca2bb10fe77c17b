"""Types -> JSON Schema, each named type once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

PLACE = "#/components/schemas/{model}"


class _Plain(GenerateJsonSchema):
    """Without titles that only repeat the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


class Schemas:
    """The schemas of some types; `of` refers to what `named` holds."""

    def __init__(self, shapes: Iterable[Any], bodies: Iterable[type[BaseModel]]) -> None:
        asked: list[tuple[Hashable, JsonSchemaMode, TypeAdapter[Any]]] = [
            (_key(shape), "serialization", TypeAdapter(shape)) for shape in shapes
        ]
        asked += [(_key(body), "validation", TypeAdapter(body)) for body in bodies]
        unique = {key: (key, mode, adapter) for key, mode, adapter in asked}
        found, defined = TypeAdapter.json_schemas(
            list(unique.values()), ref_template=PLACE, schema_generator=_Plain
        )
        self._found = {key: schema for (key, _), schema in found.items()}
        self.named: Mapping[str, Any] = defined["$defs"]

    def of(self, shape: object) -> dict[str, Any]:
        """The schema of a type."""
        return dict(self._found[_key(shape)])


def _key(shape: object) -> Hashable:
    return str(shape)
