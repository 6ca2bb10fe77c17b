"""Tables and columns that are not there, with the names that were probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher

from checks.catalogue import parse_name
from checks.doctor.case import Case, Place, found, places
from checks.doctor.findings import Finding, error
from checks.relations import Relation

_ALIKE = 0.6  # difflib's own idea of a close match
_SUGGESTIONS = 3


def missing_tables(case: Case) -> Iterator[Finding]:
    """No relation under the configured name."""
    for place in places(case.facts):
        if place.relation is None:
            yield _missing_table(case, place)


def missing_columns(case: Case) -> Iterator[Finding]:
    """A configured column that its table lacks. `impressions.defaults` has a rule of its own."""
    for place, relation in found(case.facts):
        for name in place.needs.read:
            if name not in relation.columns:
                yield _missing_column(place, relation, name, _setting(case, place, name))


def similar(wanted: str, names: Iterable[str]) -> tuple[str, ...]:
    """The names most like `wanted`, best first, whatever their capitals and underscores."""
    rated = sorted(((_likeness(wanted, name), name) for name in names), key=lambda r: (-r[0], r[1]))
    return tuple(name for likeness, name in rated if likeness >= _ALIKE)[:_SUGGESTIONS]


def _missing_table(case: Case, place: Place) -> Finding:
    _, wanted = parse_name(place.configured)
    by_name: dict[str, list[str]] = {}
    for schema, name in case.evidence.relations:
        by_name.setdefault(name, []).append(f"{_configurable(schema)}.{_configurable(name)}")
    alike = [full for name in similar(wanted, by_name) for full in sorted(by_name[name])]
    hint = f" Similar names there: {', '.join(alike)}." if alike else ""
    return error(
        "table_missing",
        place.configured,
        problem=(
            f"Role {case.facts.role} finds no table or view named {place.configured} in database "
            f"{case.evidence.surroundings.database}.{hint}"
        ),
        consequence="Nothing can be counted or healed without it.",
        remedy=f"catalog.{place.role}.table: {alike[0] if alike else '<schema>.<table>'}",
    )


def _missing_column(place: Place, relation: Relation, name: str, setting: str) -> Finding:
    alike = similar(name, relation.columns)
    there = ", ".join(alike or tuple(relation.columns))
    return error(
        "column_missing",
        f"{relation.configured}.{name}",
        problem=(
            f"{relation.kind.value.capitalize()} {relation.schema}.{relation.name} has no column "
            f"{name}. {'Similar' if alike else 'Its'} columns: {there or 'none'}."
        ),
        consequence="Nothing can be counted or healed without it.",
        remedy=f"catalog.{place.role}.{setting}: {alike[0] if alike else '<column>'}",
    )


def _setting(case: Case, place: Place, column: str) -> str:
    """The key under which `column` was configured, the first when several say the same."""
    spec = case.spec
    keys: dict[str, dict[str, str | None]] = {
        "artworks": {
            "id": spec.artworks.id,
            "created_at": spec.artworks.created_at,
            "owner": spec.artworks.owner,
        },
        "users": {"id": spec.users.id, "created_at": spec.users.created_at},
        "impressions": {
            "user": spec.impressions.user,
            "artwork": spec.impressions.artwork,
            "viewed_at": spec.impressions.viewed_at,
        },
    }
    return next(key for key, name in keys[place.role].items() if name == column)


def _likeness(left: str, right: str) -> float:
    return SequenceMatcher(None, _bare(left), _bare(right)).ratio()


def _bare(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _configurable(name: str) -> str:
    """A part of a table name as config.yaml wants it: quoted only when dots or quotes are in it."""
    return f'"{name.replace(chr(34), chr(34) * 2)}"' if set(name) & set('."') else name
