"""Makes the JSON Schemas beside this file from generated pydantic models; README.md says which.

Only the classes behind the two kinds are executed, without their builders, over a base class of
our own that forbids what is not named.
"""

from __future__ import annotations

import ast
import json
import sys
import typing
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, RootModel

FOLDER = Path(__file__).parent
KINDS = ("ServiceMonitor", "PrometheusRule")


class Strict(BaseModel):
    """What is not named is refused."""

    model_config = ConfigDict(extra="forbid")


class ObjectMeta(Strict):
    """As much of it as we use."""

    name: str
    namespace: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


def needed(classes: dict[str, ast.ClassDef], names: tuple[str, ...]) -> list[ast.ClassDef]:
    """The classes behind these, in the order of the file, with their fields alone."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found or name not in classes:
            continue
        found.add(name)
        body = [one for one in classes[name].body if isinstance(one, ast.AnnAssign)]
        classes[name].body = [*body] or [ast.Pass()]
        named = [one for node in (*body, *classes[name].bases) for one in ast.walk(node)]
        waiting += [one.id for one in named if isinstance(one, ast.Name)]
    return [one for name, one in classes.items() if name in found]


def bare(schema: Any) -> Any:
    """Without texts, which are most of it; Optional as the API server has it, without null."""
    if isinstance(schema, list):
        return [bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    either = schema.get("anyOf", [])
    if len(either) == 2 and either[1] == {"type": "null"}:
        return bare(either[0])
    return {
        key: {name: bare(one) for name, one in value.items()}
        if key in {"properties", "$defs"}
        else bare(value)
        for key, value in schema.items()
        if key not in {"title", "description", "default"}
    }


def main(path: str) -> None:
    """Writes a schema for each kind."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    classes = {one.name: one for one in tree.body if isinstance(one, ast.ClassDef)}
    module = ast.Module(body=list(needed(classes, KINDS)), type_ignores=[])
    # A module, because pydantic looks there for what annotations name.
    models = sys.modules["models"] = ModuleType("models")
    vars(models).update(
        {name: getattr(typing, name) for name in typing.__all__},
        Field=Field,
        RootModel=RootModel,
        BaseModel=Strict,
        Resource=Strict,
        apimachinery=SimpleNamespace(ObjectMeta=ObjectMeta),
    )
    exec(compile(module, path, "exec"), vars(models))
    for kind in KINDS:
        schema = bare(vars(models)[kind].model_json_schema(by_alias=True))
        text = json.dumps(schema, indent=1, sort_keys=True)
        (FOLDER / f"{kind}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
