"""What a run keeps of the configuration: the settings that alter what is counted or written.

As JSON, by the paths of the configuration. Not in it: `catalog.accept`, which lets through what a
person has looked at; and the cutoffs, which a run freezes as moments of its own (`legacy_until`,
`created_before`), so that other ages or another `pools.legacy_created_before` concern the next plan
only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

from checks.spec import (
    ArtworksSpec,
    Audience,
    CatalogueSpec,
    ImpressionsSpec,
    PairsSpec,
    SharedColumns,
    SqlMoment,
    ThroughSpec,
    UsersSpec,
)

UNREADABLE = ("catalog",)
"""What differs where nothing can be read: settings of a newer version."""

_TALLIED = {
    "artworks": ("table", "id", "created_at", "where"),
    "users": ("table", "id", "where"),
    "impressions": ("table", "user", "artwork", "where", "counts"),
}

_Record = TypeVar("_Record")


class _UnreadableError(Exception):
    """Not what `KeptCatalogue.as_json` writes."""


@dataclass(frozen=True, slots=True)
class KeptCatalogue:
    """The settings by which a run counts and writes."""

    spec: CatalogueSpec
    """Without `accept`."""
    audience: Audience

    @classmethod
    def of(cls, spec: CatalogueSpec, audience: Audience) -> KeptCatalogue:
        """What a run that is planned under these settings keeps."""
        return cls(replace(spec, accept=()), audience)

    @classmethod
    def read(cls, kept: object) -> KeptCatalogue | None:
        """What `as_json` wrote, decoded; a setting that it lacks has its default. None where there
        is anything that this version does not know: it would be left out, silently."""
        try:
            whole = _known(kept, {"catalog", "pools"})
            pools = _known(whole["pools"], {"audience"})
            return cls(_catalogue(whole["catalog"]), Audience(pools["audience"]))
        except (_UnreadableError, KeyError, TypeError, ValueError):
            return None

    @property
    def settings(self) -> dict[str, Any]:
        """By the paths of the configuration."""
        catalog = _plain(self.spec)
        del catalog["accept"]
        return {"catalog": catalog, "pools": {"audience": self.audience.value}}

    def as_json(self) -> str:
        """One text for equal settings."""
        return json.dumps(self.settings, sort_keys=True, ensure_ascii=False)

    @property
    def tallied(self) -> str:
        """The settings of what has impressions and of what is one, as JSON. Not in it: how rows
        are made, and who may be shown what."""
        catalog = self.settings["catalog"]
        counted = {
            role: {name: catalog[role][name] for name in names} for role, names in _TALLIED.items()
        }
        return json.dumps(counted, sort_keys=True, ensure_ascii=False)

    def writes_like(self, other: KeptCatalogue) -> bool:
        """Whether impressions are found by the same statements."""
        mine, others = self.spec, other.spec
        return (mine.impressions, mine.timezone) == (others.impressions, others.timezone)


def other_settings(kept: object | None, present: KeptCatalogue) -> tuple[str, ...]:
    """The paths of the settings in which a run's, as its row has them, differ from the present
    ones. A run that kept none differs in none."""
    if kept is None:
        return ()
    found = KeptCatalogue.read(kept)
    return UNREADABLE if found is None else tuple(_differing(found.settings, present.settings, ()))


def _differing(one: object, other: object, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted({*one, *other}):
            yield from _differing(one.get(key), other.get(key), (*path, key))
    elif one != other:
        yield ".".join(path)


def _plain(value: Any) -> Any:
    """Records as objects, sequences as arrays."""
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _known(value: object, names: set[str]) -> Mapping[str, Any]:
    """An object that has no other members. Raises _UnreadableError."""
    if not isinstance(value, Mapping) or not value.keys() <= names:
        raise _UnreadableError
    return value


def _record(kind: type[_Record], value: object, **readers: Callable[[Any], object]) -> _Record:
    """A record from its members; what has no reader of its own is a text or null."""
    members = _known(value, {one.name for one in fields(kind)})  # type: ignore[arg-type]
    return kind(**{name: readers.get(name, _text)(one) for name, one in members.items()})


def _text(value: object) -> str | None:
    text: str | None = _is(value, str, type(None))
    return text


def _is(value: Any, *kinds: type) -> Any:
    if not isinstance(value, kinds):
        raise _UnreadableError
    return value


def _moment(value: object) -> object:
    return _record(SqlMoment, value) if isinstance(value, Mapping) else _text(value)


def _texts(value: object) -> Mapping[str, str]:
    return MappingProxyType({name: _is(one, str) for name, one in _is(value, Mapping).items()})


def _catalogue(value: object) -> CatalogueSpec:
    return _record(
        CatalogueSpec,
        value,
        artworks=lambda one: _record(ArtworksSpec, one, created_at=_moment),
        users=lambda one: _record(UsersSpec, one, created_at=_moment),
        impressions=_impressions,
        pairs=lambda one: _record(PairsSpec, one, same=_same, through=_through),
        accept=_is,
    )


def _impressions(value: object) -> ImpressionsSpec:
    return _record(
        ImpressionsSpec,
        value,
        viewed_at=_moment,
        set=_texts,
        defaults=_texts,
        several=lambda one: _is(one, bool),
        key=lambda names: tuple(_is(name, str) for name in _is(names, list)),
    )


def _same(value: object) -> tuple[SharedColumns, ...]:
    return tuple(_record(SharedColumns, one) for one in _is(value, list))


def _through(value: object) -> ThroughSpec | None:
    return None if value is None else _record(ThroughSpec, value, since=_moment)
