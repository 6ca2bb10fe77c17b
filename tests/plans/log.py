"""The plans as PostgreSQL executed them, out of its log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.postgres import Setting

SETTINGS: Mapping[str, Setting] = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": 0,
    "auto_explain.log_analyze": True,
    "auto_explain.log_timing": False,
    "auto_explain.log_format": "json",
    "auto_explain.log_parameter_max_length": 0,
    "log_line_prefix": "%a|",
    "autovacuum": False,  # statistics stay as they were made
}
"""The server writes down each statement with the plan that it really had."""

_ENTRY = re.compile(r"^conservator\|LOG:  duration: [\d.]+ ms  plan:\n((?:\t.*\n)+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Executed:
    """A statement as it was executed."""

    text: str
    plan: Mapping[str, Any]

    def nodes(self) -> Iterator[Mapping[str, Any]]:
        """All nodes of the plan, those of its subplans, too."""
        return _walk(self.plan)


def _walk(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _walk(child)


class Log:
    """Reads what has been written since it was read last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = path.stat().st_size

    def read(self) -> list[Executed]:
        """The service's statements, in order. Whoever asks has waited for their end."""
        with self._path.open("rb") as file:
            file.seek(self._place)
            written = file.read()
        self._place += len(written)
        return executed(written.decode(errors="replace"))


def executed(text: str) -> list[Executed]:
    """The service's statements in this part of a log."""
    entries = (json.loads(match[1].replace("\n\t", "\n")) for match in _ENTRY.finditer(text))
    return [Executed(entry["Query Text"], entry["Plan"]) for entry in entries]
