"""What a configuration that was read again changes at once, and what waits for a restart.

At once: whatever is looked up anew for each call, pass or run. The rest has shaped tables,
schedules, pools of connections or texts on the page, which a process keeps for its life.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from monitor.config.mistakes import InvalidConfigError, Loc, Mistake, path_of
from monitor.config.model import Settings
from monitor.config.rules import TOKENS, find_contradictions, find_exposure

_SERVER = (*TOKENS, *(f"{name}_file" for name in TOKENS))
_HEALING = ("cooldown", "window", "max_rows_per_run", "breaker", "pace")


@dataclass(frozen=True, slots=True)
class Change:
    """What came of reading the configuration again. The paths are keys, never values."""

    settings: Settings
    """In force from now on."""
    applied: tuple[str, ...]
    restart_needed: tuple[str, ...]


def change(before: Settings, after: Settings) -> Change:
    """`before` with what may change at once of `after`. Certificates that only have new contents
    are no change of the configuration.

    Raises InvalidConfigError where the two don't go together.
    """
    server = {name: getattr(after.server, name) for name in _SERVER}
    if before.server.tls is not None and after.server.tls is not None:
        server["tls"] = after.server.tls
    healing = {name: getattr(after.healing, name) for name in _HEALING}
    settings = before.model_copy(
        update={
            "server": before.server.model_copy(update=server),
            "healing": before.healing.model_copy(update=healing),
        }
    )
    _require_harmony(settings)
    return Change(settings, _paths(before, settings), _paths(settings, after))


def _require_harmony(settings: Settings) -> None:
    """A new value beside an old one that waits for a restart: a port that loses its tokens, say."""
    findings = (
        *(found for found in find_contradictions(settings) if found.about[0][0] != "server"),
        *find_exposure(settings),
    )
    if findings:
        again = "; what does not change without a restart contradicts it"
        raise InvalidConfigError(
            Mistake(path_of(found.about[0]), found.message + again) for found in findings
        )


def _paths(one: Settings, other: Settings) -> tuple[str, ...]:
    return tuple(sorted(path_of(loc) for loc in _differences(one.model_dump(), other.model_dump())))


def _differences(one: Any, other: Any, loc: Loc = ()) -> Iterator[Loc]:
    if isinstance(one, Mapping) and isinstance(other, Mapping) and one.keys() == other.keys():
        for key in one:
            yield from _differences(one[key], other[key], (*loc, key))
    elif one != other:
        yield loc
