"""The JSON Schema of the file, for editors (yaml-language-server) and other validators.

It describes the file as written, before variables are expanded: wherever a number, a switch or
a special notation is wanted, text with a `${NAME}` in it will do.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from monitor.config.model import Settings
from monitor.config.types import format_duration

_VARIABLE = {
    "type": "string",
    "pattern": r"\$\{",
    "description": "${NAME} or ${NAME:-fallback}, from the environment.",
}


_NOTATION = {"pattern", "enum"}
"""What tells text of a special form from any text."""


class _Generator(GenerateJsonSchema):
    """Keys as a person writes them: a variable will do for a value, and null, all commented out,
    for a group or list."""

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        group = super().model_schema(schema)
        del group["title"]
        for key in group["properties"].values():
            key["description"] = " ".join(key["description"].split())
        return group

    def model_field_schema(self, schema: core_schema.ModelField) -> JsonSchemaValue:
        value = super().model_field_schema(schema)
        whole = self.resolve_ref_schema(value)
        if "minItems" in whole or (whole.get("type") == "string" and not whole.keys() & _NOTATION):
            return value
        default = {word: value.pop(word) for word in ("default",) if word in value}
        group = whole.get("type") in {"array", "object"}
        return {"anyOf": [value, {"type": "null"} if group else _VARIABLE], **default}


def json_schema() -> dict[str, Any]:
    """The schema, draft 2020-12. A new dictionary every time."""
    schema = Settings.model_json_schema(schema_generator=_Generator)
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **schema,
        "title": "conservator",
    }


def describe(settings: Settings) -> dict[str, Any]:
    """Every key with the value in effect, JSON-serialisable, in the notation of the file.

    Secrets are `***`, and so are credentials in other URLs.
    """
    return settings.model_dump(mode="json")
