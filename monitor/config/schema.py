"""The JSON Schema of the file, for editors (yaml-language-server) and other validators.

It describes the file as written, before variables are expanded: wherever a number, a switch or
a special notation is wanted, text with a `${NAME}` in it will do.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from monitor.config.model import Settings
from monitor.config.types import format_duration

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE = {
    "type": "string",
    "pattern": r"\$\{",
    "description": "${NAME} or ${NAME:-fallback}, from the environment.",
}

Schema = dict[str, Any]


class _Generator(GenerateJsonSchema):
    """Defaults as a person writes them."""

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def json_schema() -> Schema:
    """The schema, draft 2020-12. A new dictionary every time."""
    schema = Settings.model_json_schema(schema_generator=_Generator)
    known: dict[str, Schema] = schema.pop("$defs")
    definitions = {name: _without_titles(item, known) for name, item in known.items()}
    return {
        "$schema": DIALECT,
        **_without_titles(schema, known),
        "title": "conservator",
        "$defs": {**definitions, "variable": _VARIABLE},
    }


def _without_titles(schema: Schema, known: dict[str, Schema]) -> Schema:
    """A group of keys, or an enumeration, less the titles that pydantic makes of names."""
    result = {word: value for word, value in schema.items() if word != "title"}
    if "properties" in schema:
        keys = schema["properties"].items()
        result["properties"] = {name: _key(key, known) for name, key in keys}
    return result


def _key(schema: Schema, known: dict[str, Schema]) -> Schema:
    """One key: a variable will do for a value, and null, all commented out, for a group or list.

    pydantic drops a description that a group shares with its key: it is put back.
    """
    target = known.get(schema.get("$ref", "").removeprefix("#/$defs/"), {})
    description = " ".join({**target, **schema}["description"].split())
    beside = {"description": description, **{w: schema[w] for w in ("default",) if w in schema}}
    value = {word: schema[word] for word in schema if word not in {*beside, "title"}}
    kind = value.get("type")
    if (kind == "string" and "pattern" not in value) or "minItems" in value:
        return {**value, **beside}
    if kind in {"array", "object"} or "properties" in target:
        return {"anyOf": [value, {"type": "null"}], **beside}
    return {"anyOf": [value, {"$ref": "#/$defs/variable"}], **beside}


def describe(settings: Settings) -> dict[str, Any]:
    """Every key with the value in effect, JSON-serialisable, in the notation of the file.

    Secrets are `***`, and so are credentials in other URLs.
    """
    return settings.model_dump(mode="json")
