"""The JSON Schema of the file, for editors (yaml-language-server) and other validators.

It describes the file as written, before variables are expanded: wherever a number, a switch or
a special notation is wanted, text with a `${NAME}` in it will do.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from monitor.config.model import Settings
from monitor.config.types import format_duration

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE = {"$ref": "#/$defs/variable"}
_BESIDE = ("description", "default")
"""Keywords that say something about a key, whatever form its value takes."""

Schema = dict[str, Any]


class _Generator(GenerateJsonSchema):
    """Defaults as a person writes them."""

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def json_schema() -> Schema:
    """The schema, draft 2020-12. A new dictionary every time."""
    mode: JsonSchemaMode = "validation"
    schema = Settings.model_json_schema(schema_generator=_Generator, mode=mode)
    definitions: dict[str, Schema] = schema.pop("$defs")
    known = {f"#/$defs/{name}": item for name, item in definitions.items()}
    groups = {name: item for name, item in definitions.items() if "enum" not in item}
    variable = {
        "type": "string",
        "pattern": r"\$\{",
        "description": "${NAME} or ${NAME:-fallback}, from the environment.",
    }
    return {
        "$schema": DIALECT,
        "title": "conservator",
        **_group(schema, known),
        "$defs": {**{n: _group(item, known) for n, item in groups.items()}, "variable": variable},
    }


def _group(schema: Schema, known: dict[str, Schema]) -> Schema:
    """A group of keys: without generated titles, and with variables admitted in each key."""
    result = {key: value for key, value in schema.items() if key != "title"}
    properties = schema.get("properties", {})
    result["properties"] = {name: _key(value, known) for name, value in properties.items()}
    return result


def _key(schema: Schema, known: dict[str, Schema]) -> Schema:
    """One key. pydantic drops a description that a group shares with its key: it is put back."""
    described = {**known.get(schema.get("$ref", ""), {}), **schema}
    beside = {word: described[word] for word in _BESIDE if word in described}
    beside["description"] = " ".join(beside["description"].split())
    value = {word: item for word, item in schema.items() if word not in {*_BESIDE, "title"}}
    return {**_value(value, known), **beside}


def _value(schema: Schema, known: dict[str, Schema]) -> Schema:
    """A value, or a variable that gives one. A group or list may be null: all commented out."""
    kind, target = schema.get("type"), known.get(schema.get("$ref", ""), {})
    if kind == "array":
        kinds = "array" if "minItems" in schema else ["array", "null"]
        return {**schema, "type": kinds, "items": _item(schema["items"], known)}
    if kind == "object":
        return {**schema, "type": ["object", "null"]}
    if "properties" in target:
        return {"anyOf": [schema, {"type": "null"}]}
    forms = list(_forms({"enum": target["enum"]} if target else schema))
    if all(_is_open(form) for form in forms):
        return schema
    return {"anyOf": [*forms, _VARIABLE]}


def _item(schema: Schema, known: dict[str, Schema]) -> Schema:
    return schema if "$ref" in schema else _value(schema, known)


def _forms(schema: Schema) -> Iterator[Schema]:
    """The forms that a value may take, without nesting."""
    for form in schema.get("anyOf", ()):
        yield from _forms(form)
    if "anyOf" not in schema:
        yield schema


def _is_open(schema: Schema) -> bool:
    """Admits the text of a variable as it is, or is a structure, which none can give."""
    if "$ref" in schema or schema.get("type") == "null":
        return True
    return schema.get("type") == "string" and "pattern" not in schema


def describe(settings: Settings) -> dict[str, Any]:
    """Every key with the value in effect, JSON-serialisable, in the notation of the file.

    Secrets are `***`, and so are credentials in other URLs.
    """
    return settings.model_dump(mode="json")
