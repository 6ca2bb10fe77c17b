"""The first pass: every key against the model, and pydantic's findings as sentences.

Where a part does not fit, it is left out and the rest validated again, so that the second pass
can still examine whatever is sound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pydantic import SecretStr, ValidationError

from monitor.config.document import Document
from monitor.config.mistakes import Loc
from monitor.config.model import Settings
from monitor.config.wording import message_for

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_URL: Loc = ("database", "url")
_STAND_IN = SecretStr("postgresql:///")
"""Takes the place of a URL that is missing or wrong, until the mistakes are told."""


class _Kept(list[object]):
    """The items of a list that are sound, with the positions that they had."""

    def __init__(self, items: list[tuple[int, object]]) -> None:
        super().__init__(item for _, item in items)
        self.positions = [position for position, _ in items]


@dataclass(frozen=True, slots=True)
class Shaped:
    """What could be made of a document. `settings` is sound except for what is `broken`."""

    settings: Settings
    data: object

    def original(self, loc: Loc) -> Loc:
        """The place in the document that `loc` in `settings` came from."""
        return _original(self.data, loc)


def shape(document: Document) -> Shaped | None:
    """Validates the document, noting all mistakes in it. None where nothing sound remains."""
    while True:
        data = _without(document.data, (), document.broken)
        cast("dict[str, object]", data).setdefault("database", None)
        if _URL in document.broken or _URL[:1] in document.broken:
            _stand_in(cast("dict[str, object]", data))
        try:
            return Shaped(Settings.model_validate(data), data)
        except ValidationError as error:
            before = frozenset(document.broken)
            for details in error.errors(include_url=False):
                _note(document, data, details, before)
            if len(document.broken) == len(before):
                return None


def _note(document: Document, data: object, details: ErrorDetails, before: frozenset[Loc]) -> None:
    """Notes one finding of pydantic, unless it only follows from leaving out what is broken."""
    loc = _original(data, details["loc"])
    known = any(loc[: len(part)] == part or part[: len(loc)] == loc for part in before)
    if not known:
        document.mistakes.append(document.mistake(loc, message_for(loc, details)))
    missing = details["type"] == "missing" and loc != _URL
    document.broken.add(loc[:-1] if missing else loc)


def _without(node: object, loc: Loc, broken: set[Loc]) -> object:
    """A copy of `node`, which stands at `loc`, less its broken parts."""
    if isinstance(node, dict):
        return {
            key: _without(value, (*loc, key), broken)
            for key, value in node.items()
            if (*loc, key) not in broken
        }
    if isinstance(node, list):
        return _Kept(
            [
                (index, _without(item, (*loc, index), broken))
                for index, item in enumerate(node)
                if (*loc, index) not in broken
            ]
        )
    return node


def _stand_in(data: dict[str, Any]) -> None:
    database = data.get("database")
    data["database"] = {**(database if isinstance(database, dict) else {}), "url": _STAND_IN}


def _original(node: object, loc: Loc) -> Loc:
    """`loc` with the positions that list items had before broken ones were left out."""
    result: list[str | int] = []
    for part in loc:
        result.append(
            node.positions[part] if isinstance(node, _Kept) and isinstance(part, int) else part
        )
        try:
            node = cast("Any", node)[part]
        except (KeyError, IndexError, TypeError):
            node = None
    return tuple(result)
