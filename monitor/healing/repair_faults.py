"""What stands in the way of a repair: each a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from checks.doctor.ddl import create_index, quoted
from checks.doctor.ddl import table as table_name
from checks.relations import TABLES, Column, Index, OtherRelation, Relation
from monitor.healing.repair_table import (
    DELETE,
    UPDATE,
    FoundColumn,
    RepairSpec,
    TableNow,
    consequences,
)

_INT2, _INT4, _INT8, _NUMERIC, _FLOAT4, _FLOAT8 = 21, 23, 20, 1700, 700, 701
_TEXT, _VARCHAR, _CHAR, _NAME, _DATE, _TIMESTAMP = 25, 1043, 1042, 19, 1082, 1114
_TEXTS, _ENUM, _UUID = (_TEXT, _VARCHAR), "E", "uuid"
_KEPT_AS_KEY: Mapping[int, tuple[int, ...]] = {
    _INT2: (_INT4, _INT8, _NUMERIC),
    _INT4: (_INT2, _INT8, _NUMERIC),
    _INT8: (_INT2, _INT4, _NUMERIC),
    _TEXT: (_VARCHAR,),
    _VARCHAR: (_TEXT,),
}
"""Types by pg_type.oid, with those in which each of their values is the same, or is refused."""
_KEPT: Mapping[int, tuple[int, ...]] = {
    **_KEPT_AS_KEY,
    _INT2: (_INT4, _INT8, _NUMERIC, _FLOAT4, _FLOAT8),
    _INT4: (_INT2, _INT8, _NUMERIC, _FLOAT8),
    _FLOAT4: (_FLOAT8,),
    _TEXT: (_VARCHAR, _CHAR),
    _VARCHAR: (_TEXT, _CHAR),
    _CHAR: (_TEXT, _VARCHAR),
    _NAME: (_TEXT, _VARCHAR),
    _DATE: (_TIMESTAMP,),
}
"""The same of what is only written."""


@dataclass(frozen=True, slots=True)
class RepairFault:
    """Why a repair can't be: the key of its section, and a sentence."""

    key: str
    sentence: str


def of_relation(relation: Relation, state_schema: str, role: str) -> Iterator[RepairFault]:
    """It is no table of the app, or none whose rows can be written as they are named."""
    name = relation.configured
    if relation.schema == state_schema:
        yield RepairFault("table", f"{name} is one of the service's own: name one of the app.")
    elif relation.schema in ("pg_catalog", "information_schema"):
        yield RepairFault("table", f"{name} is one of PostgreSQL's: name one of the app.")
    elif relation.kind not in TABLES:
        yield RepairFault(
            "table", f"{name} is a {relation.kind.value}: name the table whose rows are wrong."
        )
    elif relation.distribution is not None:
        yield RepairFault("table", f"{name} is spread by Citus, where no repair runs.")
    if relation.inherited_by:
        children = ", ".join(relation.inherited_by)
        yield RepairFault(
            "table",
            f"{name} is read together with its inheritance children ({children}), which none of its"
            " keys binds: name a table without any.",
        )
    if not relation.can_use_schema:
        grant = f"GRANT USAGE ON SCHEMA {quoted(relation.schema)} TO {quoted(role)};"
        yield RepairFault("table", f"The role may not name {name}: {grant}")


def unreadable(reads: Sequence[OtherRelation], role: str) -> Iterator[RepairFault]:
    """Other relations that `find` reads, and the role may not."""
    for one in reads:
        if not one.can_use_schema:
            grant = f"GRANT USAGE ON SCHEMA {quoted(one.schema)} TO {quoted(role)};"
            yield RepairFault("find", f"It reads {one.schema}.{one.name}: {grant}")
        elif not one.can_select:
            grant = f"GRANT SELECT ON {quoted(one.schema, one.name)} TO {quoted(role)};"
            yield RepairFault("find", f"It reads {one.schema}.{one.name}: {grant}")


def key_of(spec: RepairSpec, relation: Relation) -> tuple[tuple[str, ...], Index | None]:
    """The columns that name a row, and the index that proves it."""
    proving = [one for one in relation.indexes if one.arbitrates and None not in one.columns]
    if not spec.key:
        primary = next((one for one in proving if one.primary), None)
        return (() if primary is None else tuple(filter(None, primary.columns))), primary
    within = [one for one in proving if {*one.columns} <= {*spec.key}]
    # The widest: of a narrower one no other index may have all columns of the key.
    return spec.key, max(within, key=lambda one: len(one.columns), default=None)


def of_key(
    spec: RepairSpec, relation: Relation, key: Sequence[str], unique: Index | None
) -> Iterator[RepairFault]:
    """Nothing proves that the key names one row."""
    missing = [name for name in key if name not in relation.columns]
    if missing:
        told = f"{relation.configured} has no column {', '.join(missing)}."
        yield RepairFault("key", told)
    elif unique is None and not key:
        yield RepairFault(
            "key",
            f"{relation.configured} has no primary key (none that is deferrable, or WITHOUT"
            " OVERLAPS, will do): name the columns of a unique index in key.",
        )
    elif unique is None:
        yield RepairFault(
            "key",
            f"No unique index proves that {', '.join(key)} names one row of"
            f" {relation.configured}: {create_index(relation, *key, unique=True)}",
        )
    elif late := _late(relation, unique):
        yield RepairFault(
            "key",
            f"Of {relation.configured}, {late} is a second unique constraint on the same columns,"
            " and deferrable: PostgreSQL goes by none of them then where a row is put (back) unless"
            " its key is taken. Make it NOT DEFERRABLE, or drop it.",
        )


def _late(relation: Relation, unique: Index | None) -> str | None:
    """The deferrable index that ON CONFLICT would infer beside `unique`, and refuse."""
    if unique is None:
        return None
    there = (one for one in relation.indexes if one.unique and not one.immediate)
    return next((one.name for one in there if {*one.columns} == {*unique.columns}), None)


def of_columns(
    spec: RepairSpec,
    relation: Relation,
    key: Sequence[str],
    found: Sequence[str],
    now: TableNow,
) -> Iterator[RepairFault]:
    """`find` returns other columns than are needed, or than can be written."""
    lacking = [name for name in key if name not in found]
    if lacking:
        told = f"It does not return the key column {', '.join(lacking)}: select it by that name."
        yield RepairFault("find", told)
    unknown = [name for name in found if name not in relation.columns]
    if unknown:
        told = f"{relation.configured} has no column {', '.join(unknown)}, which it returns."
        yield RepairFault("find", f"{told} Name each as the table does.")
    twice = sorted({name for name in found if list(found).count(name) > 1})
    if twice:
        yield RepairFault("find", f"It returns {', '.join(twice)} twice.")
    if spec.action == DELETE:
        return
    fixed = [name for name in now.generated or () if name in found]
    if spec.action == UPDATE:
        fixed += [name for name in now.numbered or () if name in found and name not in key]
        if not set(found) - set(key):
            told = "It returns nothing but the key: select the new values beside it."
            yield RepairFault("find", told)
    if fixed:
        told = f"It returns {', '.join(fixed)}, which PostgreSQL alone writes: leave that out."
        yield RepairFault("find", told)


def of_rules(relation: Relation, now: TableNow) -> Iterator[RepairFault]:
    """Rules would write something else."""
    if now.rules:
        told = f"has rules ({', '.join(now.rules)}): rows would not be written as named."
        yield RepairFault("table", f"{relation.configured} {told}")


def of_types(
    relation: Relation, key: Sequence[str], found: Sequence[FoundColumn]
) -> Iterator[RepairFault]:
    """A key that was rounded would name another row, and a value would be another one."""
    for one in found:
        column = relation.columns.get(one.name)
        if column is None or _keeps(one, column, is_key=one.name in key):
            continue
        yield RepairFault(
            "find",
            f"It returns {one.name} as {one.type}, and that column of {relation.configured} is"
            f" {column.type}: not every value stays what it is in between. Cast it in find, with"
            f" what you mean by that: (…)::{column.type} AS {one.name}.",
        )


def _keeps(found: FoundColumn, column: Column, *, is_key: bool) -> bool:
    """Whether each value of `found` is the same one in the column, or is refused there. Of a key,
    the two must be comparable besides."""
    kept = _KEPT_AS_KEY if is_key else _KEPT
    if found.oid in (column.oid, column.base_oid) or column.base_oid in kept.get(found.oid, ()):
        return True
    return not is_key and found.oid in _TEXTS and (column.category == _ENUM or column.cast == _UUID)


def of_consequences(spec: RepairSpec, relation: Relation, now: TableNow) -> Iterator[RepairFault]:
    """Other tables would be changed along, or impressions be written."""
    name = relation.configured
    if now.impressions and spec.action != DELETE:
        yield RepairFault(
            "action",
            f"{name} holds the impressions: what is missing there, healing writes. A repair may"
            " delete only.",
        )
    told = consequences(relation, spec.action, now)
    if told is not None:
        yield RepairFault("action", told)


def of_privileges(
    needed: Sequence[str], relation: Relation, now: TableNow, role: str
) -> Iterator[RepairFault]:
    """What the role may not do."""
    lacking = [one for one in needed if one not in (now.privileges or ())]
    if lacking:
        grant = f"GRANT {', '.join(lacking)} ON {table_name(relation)} TO {quoted(role)};"
        yield RepairFault("table", f"The role may not do that, or take it back: {grant}")
