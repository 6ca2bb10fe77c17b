"""A repair and its table as it really is: what can be mended there, and why not, with what to do.

Nothing is written. `find` is parsed and explained, and returns no row here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.catalogue import read_relation
from checks.doctor.ddl import create_index, quoted
from checks.doctor.ddl import table as table_name
from checks.errors import CatalogueError, Refusal
from checks.read_elsewhere import relations_read
from checks.relations import TABLES, Catalogue, Column, Index, OtherRelation, Relation
from checks.row_security import RowGuard, read_row_security
from checks.statements import operator_sql, render, template
from monitor.healing.ledger_columns import ColumnsDifferError, follow_columns
from monitor.state.runs import Run

PACKAGE = "monitor.healing"
INSERT, UPDATE, DELETE = "insert", "update", "delete"
_FIRES = {INSERT: 4, DELETE: 8, UPDATE: 16}
"""Bits of pg_trigger.tgtype."""
_SYNTAX = "42601"
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
_NO_SELECT = (
    "It is no single SELECT ({}). Expected one SELECT that reads, without a semicolon inside."
)
_UNDONE_BY = {INSERT: DELETE, UPDATE: UPDATE, DELETE: INSERT}


@dataclass(frozen=True, slots=True)
class RepairSpec:
    """What is wrong and what is done about it, as it is configured."""

    name: str
    table: str
    key: tuple[str, ...]
    """Empty: the primary key."""
    find: str
    action: str
    """insert, update or delete."""

    @property
    def kept(self) -> dict[str, object]:
        """What a run keeps: another of these is another repair."""
        return {
            "table": self.table,
            "key": list(self.key),
            "find": self.find,
            "action": self.action,
        }

    @classmethod
    def of_run(cls, name: str, kept: Mapping[str, Any]) -> RepairSpec:
        """The repair as a run of it was planned, with the key that the run went by."""
        return cls(name, kept["table"], tuple(kept["keyed_by"]), kept["find"], kept["action"])

    @property
    def select(self) -> str:
        """`find` without the semicolon that may end it."""
        return self.find.strip().rstrip(";")

    @property
    def privileges(self) -> tuple[str, ...]:
        """What the role needs of the table, to mend and to take back."""
        undone = self.privileges_to_undo
        return tuple(dict.fromkeys(("SELECT", self.action.upper(), *undone)))

    @property
    def privileges_to_undo(self) -> tuple[str, ...]:
        """What the role needs of the table to take back."""
        return ("SELECT", _UNDONE_BY[self.action].upper())


@dataclass(frozen=True, slots=True)
class RepairFault:
    """Why a repair can't be: the key of its section, and a sentence."""

    key: str
    sentence: str


@dataclass(frozen=True, slots=True)
class FoundColumn:
    """A column that `find` returns."""

    name: str
    oid: int
    """pg_type.oid; of a domain, the type beneath."""
    type: str


@dataclass(frozen=True, slots=True)
class TableNow:
    """The row of `repair_table`."""

    columns: Sequence[Sequence[Any]]
    """The fields of `ledger_columns.TableColumn`, of each."""
    named: bool
    """Its name still means this table."""
    keyed: bool
    """A unique index still proves that the key names one row."""
    generated: Sequence[str] | None
    numbered: Sequence[str] | None
    """GENERATED ALWAYS AS IDENTITY."""
    privileges: Sequence[str] | None
    deleted_along: Sequence[str]
    updated_along: Sequence[str]
    triggers: Sequence[str]
    """Those that fire for what is done."""
    rules: Sequence[str]
    heirs: Sequence[str]
    """Inheritance children, whose rows would be read and changed with its own."""
    impressions: bool
    """It is the impressions table, or a part of it."""


@dataclass(frozen=True)
class RepairTable:
    """A repair with the table that it changes."""

    spec: RepairSpec
    relation: Relation
    unique: Index
    """Proves that the key names one row."""
    key: tuple[str, ...]
    found: tuple[str, ...]
    """The columns that `find` returns; of a run that is taken back: that it returned and that are
    there still."""
    now: TableNow
    rows: RowGuard
    then: Mapping[str, str]
    """What the columns are called in the ledger; those that came after it are not here."""
    undoes: bool = False
    """It is read to take a run back."""

    @property
    def does(self) -> str:
        """What happens to the rows: insert, update or delete."""
        return _UNDONE_BY[self.spec.action] if self.undoes else self.spec.action

    @cached_property
    def listed(self) -> tuple[Column, ...]:
        """The columns that the ledger has and that say something of their own: what PostgreSQL
        computes follows from the others."""
        return tuple(one for one in self.writable if one.name in self.then)

    @property
    def unlisted(self) -> tuple[Column, ...]:
        """The columns that came after the ledger."""
        return tuple(one for one in self.writable if one.name not in self.then)

    @cached_property
    def values(self) -> tuple[Column, ...]:
        """The columns that get new values, the key apart."""
        if self.spec.action == DELETE:
            return ()
        return tuple(self.relation.columns[one] for one in self.found if one not in self.key)

    @cached_property
    def key_columns(self) -> tuple[Column, ...]:
        """The columns of the key."""
        return tuple(self.relation.columns[one] for one in self.key)

    @cached_property
    def writable(self) -> tuple[Column, ...]:
        """The columns that hold values of their own."""
        computed = self.now.generated or ()
        return tuple(one for one in self.relation.columns.values() if one.name not in computed)

    @property
    def changeable(self) -> tuple[Column, ...]:
        """Of those that the ledger has, those that an update may write."""
        fixed = {*(self.now.numbered or ()), *self.key}
        return tuple(one for one in self.listed if one.name not in fixed)

    @property
    def asked_now(self) -> Mapping[str, object]:
        """The parameters of `repair_table`, for a batch."""
        return _asked(self.relation, self.does, self.key, self.found)

    def consequences(self, now: TableNow) -> str | None:
        """Why nothing may be done with its rows, because of foreign keys."""
        return consequences(self.relation, self.does, now)

    def changed_since(self, now: TableNow | None) -> str | None:
        """What is another thing about the table than when it was read, apart from its triggers."""
        name = self.relation.configured
        if now is None or not now.named:
            return f"{name} is another table than the one that was read."
        if now.columns != self.now.columns:
            return f"The columns of {name} are others than when they were read."
        if not now.keyed:
            told = f"that {', '.join(self.key)} names one row of {name}"
            return f"No unique index proves any more {told}."
        if now.rules or now.heirs:
            told = ", ".join((*now.rules, *now.heirs))
            return f"{name} has got rules or inheritance children ({told})."
        return None


def _asked(
    relation: Relation, does: str, key: Sequence[str], changed: Sequence[str]
) -> dict[str, object]:
    """The parameters of `repair_table`, but for the impressions table's."""
    return {
        "target": relation.oid,
        "schema": relation.schema,
        "name": relation.name,
        "key": list(key),
        "fires": _FIRES[does],
        "changed": list(changed),
    }


async def read_table(
    connection: AsyncConnection,
    catalogue: Catalogue,
    state_schema: str,
    spec: RepairSpec,
    *,
    undone: Run | None = None,
) -> RepairTable | list[RepairFault]:
    """The table of a repair, or all that stands in its way. In a transaction that has read nothing
    else. `undone`: the run that is to be taken back, for which nothing of `find` is needed."""
    undoes = undone is not None
    # Before anything else: what the transaction has locked is what `find` names.
    select = operator_sql(spec.select).as_string(None)
    reads = [] if undoes else await relations_read(connection, select)
    relation = await read_relation(connection, spec.table)
    elsewhere = [one for one in reads or () if relation is None or one.oid != relation.oid]
    faults = [*_unreadable(elsewhere, catalogue.role)]
    returned = () if undoes or faults else await _columns_of(connection, spec)
    if reads is None and not isinstance(returned, RepairFault):
        returned = RepairFault("find", _NO_SELECT.format("it is one only within brackets"))
    if isinstance(returned, RepairFault):
        faults.append(returned)
        returned = ()
    if relation is None:
        visible = f"no table {spec.table} that is visible to role {catalogue.role}"
        return [RepairFault("table", f"There is {visible}: correct the name."), *faults]
    of_relation = [*_of_relation(relation, state_schema, catalogue.role)]
    if of_relation:
        return [*of_relation, *faults]
    found = tuple(one.name for one in returned)
    impressions = catalogue.impressions.beneath.oid
    then: Mapping[str, str] = {name: name for name in relation.columns}
    if undone is not None:
        ledger = await _ledger(connection, relation, spec, undone, impressions)
        if isinstance(ledger, RepairFault):
            return [ledger]
        then, found, spec = ledger
    key, unique = _key(spec, relation)
    needed = spec.privileges_to_undo if undoes else spec.privileges
    does = _UNDONE_BY[spec.action] if undoes else spec.action
    now = await _table_now(connection, _asked(relation, does, key, found), impressions)
    faults = [
        *faults,
        *_of_key(spec, relation, key, unique),
        *_of_rules(relation, now),
        *([] if undoes or faults else _of_columns(spec, relation, key, found, now)),
        *_of_types(relation, key, returned),
        *([] if undoes else _of_consequences(spec, relation, now)),
        *_of_privileges(needed, relation, now, catalogue.role),
    ]
    rows = await _guard(connection, relation, elsewhere, now)
    if isinstance(rows, RepairFault):
        faults.append(rows)
    if faults or unique is None or isinstance(rows, RepairFault):
        return faults
    return RepairTable(spec, relation, unique, key, found, now, rows, then, undoes)


async def _table_now(
    connection: AsyncConnection, values: Mapping[str, object], impressions: int
) -> TableNow:
    text = template(PACKAGE, "repair_table")
    found = await connection.exec_driver_sql(text, {**values, "impressions": impressions})
    return TableNow(**found.one()._mapping)


async def _ledger(
    connection: AsyncConnection,
    relation: Relation,
    spec: RepairSpec,
    undone: Run,
    impressions: int,
) -> tuple[Mapping[str, str], tuple[str, ...], RepairSpec] | RepairFault:
    """What the columns are called in the run's ledger; what its `find` returned and the repair with
    its key, by their present names."""
    plan = undone.repair_plan or {}
    present = await _table_now(connection, _asked(relation, spec.action, (), ()), impressions)
    try:
        columns = follow_columns(
            plan["columns"],
            present.columns,
            same_table=relation.oid == undone.repair_oid,
            name=relation.configured,
        )
    except ColumnsDifferError as error:
        return RepairFault("table", str(error))
    key, found = columns.now(spec.key), columns.now(plan["found"])
    if len(key) < len(spec.key):
        return RepairFault(
            "key",
            f"{relation.configured} has lost a column of the key that the run went by"
            f" ({', '.join(spec.key)}): which rows it wrote nobody can tell.",
        )
    fixed = sorted({*(present.generated or ()), *(present.numbered or ())} & {*found} - {*key})
    if spec.action == UPDATE and not {*found} - {*key}:
        told = f"{relation.configured} has none of the columns any more that the run changed."
        return RepairFault("table", told)
    if fixed and spec.action == UPDATE:
        return RepairFault(
            "table",
            f"PostgreSQL alone writes {', '.join(fixed)} of {relation.configured} by now: what"
            " stood there can't be given back.",
        )
    return columns.then, found, replace(spec, key=key)


async def repair_grants(
    connection: AsyncConnection, spec: RepairSpec, role: str
) -> tuple[str, ...]:
    """What `role` needs to do that repair, and to take it back; nothing where there is no such
    table. In a transaction that has read nothing else."""
    reads = await relations_read(connection, operator_sql(spec.select).as_string(None)) or ()
    relation = await read_relation(connection, spec.table)
    if relation is None:
        return ()
    to = f"TO {quoted(role)};"
    schemas = sorted({relation.schema, *(one.schema for one in reads)})
    lines = [f"GRANT USAGE ON SCHEMA {quoted(one)} {to}" for one in schemas]
    lines += [f"GRANT SELECT ON {quoted(one.schema, one.name)} {to}" for one in reads]
    lines.append(f"GRANT {', '.join(spec.privileges)} ON {table_name(relation)} {to}")
    if spec.action == INSERT:
        text = template(PACKAGE, "repair_sequences")
        found = await connection.exec_driver_sql(text, {"target": relation.oid})
        lines += [f"GRANT USAGE ON SEQUENCE {name} {to}" for name in found.scalars()]
    return tuple(dict.fromkeys(lines))


def require_table(read: RepairTable | Sequence[RepairFault], spec: RepairSpec) -> RepairTable:
    """The table, or a CatalogueError with everything that is wrong with it."""
    if isinstance(read, RepairTable):
        return read
    told = "\n".join(f"Repair {spec.name}, {one.key}: {one.sentence}" for one in read)
    raise CatalogueError(told)


def _of_relation(relation: Relation, state_schema: str, role: str) -> Iterator[RepairFault]:
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


def _unreadable(reads: Sequence[OtherRelation], role: str) -> Iterator[RepairFault]:
    for one in reads:
        if not one.can_use_schema:
            grant = f"GRANT USAGE ON SCHEMA {quoted(one.schema)} TO {quoted(role)};"
            yield RepairFault("find", f"It reads {one.schema}.{one.name}: {grant}")
        elif not one.can_select:
            grant = f"GRANT SELECT ON {quoted(one.schema, one.name)} TO {quoted(role)};"
            yield RepairFault("find", f"It reads {one.schema}.{one.name}: {grant}")


async def _columns_of(
    connection: AsyncConnection, spec: RepairSpec
) -> tuple[FoundColumn, ...] | RepairFault:
    """What `find` returns, which is asked for no row."""
    text = render(PACKAGE, "repair_columns", {"find": operator_sql(spec.select)})
    savepoint = await connection.begin_nested()
    try:
        result = await connection.exec_driver_sql(text, {"none": 0})
        columns: Any = result.cursor.description
        described = [(one.name, one.type_code) for one in columns]
        named = await connection.exec_driver_sql(
            template(PACKAGE, "repair_types"), {"types": [oid for _, oid in described]}
        )
        types = named.scalars().all()
        return tuple(FoundColumn(*one, kind) for one, kind in zip(described, types, strict=True))
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        refusal: Any = error.orig
        told = Refusal.of(refusal)
        if told.sqlstate == "42501":
            return RepairFault(
                "find",
                f"The role may not read what it names ({told.message}): `conservator init"
                " --print-sql` prints the grants that it needs.",
            )
        why = f"{told.sqlstate}: {told.message}"
        if told.sqlstate == _SYNTAX:
            return RepairFault("find", _NO_SELECT.format(why))
        return RepairFault("find", f"It is refused by PostgreSQL ({why}).")
    finally:
        if savepoint.is_active:
            await savepoint.rollback()


def _key(spec: RepairSpec, relation: Relation) -> tuple[tuple[str, ...], Index | None]:
    """The columns that name a row, and the index that proves it."""
    proving = [one for one in relation.indexes if one.arbitrates and None not in one.columns]
    if not spec.key:
        primary = next((one for one in proving if one.primary), None)
        return (() if primary is None else tuple(filter(None, primary.columns))), primary
    within = [one for one in proving if {*one.columns} <= {*spec.key}]
    # The widest: of a narrower one no other index may have all columns of the key.
    return spec.key, max(within, key=lambda one: len(one.columns), default=None)


def _of_key(
    spec: RepairSpec, relation: Relation, key: Sequence[str], unique: Index | None
) -> Iterator[RepairFault]:
    missing = [name for name in key if name not in relation.columns]
    if missing:
        told = f"{relation.configured} has no column {', '.join(missing)}."
        yield RepairFault("key", told)
    elif unique is None and not key:
        yield RepairFault(
            "key",
            f"{relation.configured} has no primary key: name the columns of a unique index in key.",
        )
    elif unique is None:
        yield RepairFault(
            "key",
            f"No unique index proves that {', '.join(key)} names one row of"
            f" {relation.configured}: {create_index(relation, *key, unique=True)}",
        )


def _of_columns(
    spec: RepairSpec,
    relation: Relation,
    key: Sequence[str],
    found: Sequence[str],
    now: TableNow,
) -> Iterator[RepairFault]:
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


def _of_rules(relation: Relation, now: TableNow) -> Iterator[RepairFault]:
    if now.rules:
        told = f"has rules ({', '.join(now.rules)}): rows would not be written as named."
        yield RepairFault("table", f"{relation.configured} {told}")


def _of_types(
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


def _of_consequences(spec: RepairSpec, relation: Relation, now: TableNow) -> Iterator[RepairFault]:
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


def consequences(relation: Relation, does: str, now: TableNow) -> str | None:
    """Why its rows may not be deleted or updated: what foreign keys would do to other tables."""
    along = {DELETE: now.deleted_along, UPDATE: now.updated_along}.get(does)
    if not along:
        return None
    return (
        f"With each row of {relation.configured}, foreign keys would change rows of other tables:"
        f" {', '.join(along)}. Nothing could give those back: mend them first, with a repair of"
        " their own, and make the key ON DELETE and ON UPDATE NO ACTION."
    )


def _of_privileges(
    needed: Sequence[str], relation: Relation, now: TableNow, role: str
) -> Iterator[RepairFault]:
    lacking = [one for one in needed if one not in (now.privileges or ())]
    if lacking:
        grant = f"GRANT {', '.join(lacking)} ON {table_name(relation)} TO {quoted(role)};"
        yield RepairFault("table", f"The role may not do that, or take it back: {grant}")


async def _guard(
    connection: AsyncConnection,
    relation: Relation,
    reads: Sequence[OtherRelation],
    now: TableNow,
) -> RowGuard | RepairFault:
    """What its transactions have to do; a fault where rows may be hidden."""
    oids = (relation.oid, *(one.oid for one in reads))
    found = await read_row_security(connection, oids)
    hidden = [one for one in found if not one.shows_every_row]
    if hidden:
        where = ", ".join(sorted({f"{one.schema}.{one.name}" for one in hidden}))
        return RepairFault(
            "find",
            f"Row security may hide rows of {where}: what is hidden is neither wrong nor right. Let"
            " a policy show every row to the role.",
        )
    quiet = not now.triggers
    return RowGuard(oids, off=not found and quiet, may_switch_off=quiet)


def with_name(spec: RepairSpec, table: str | None) -> RepairSpec:
    """The same on the table by the name that it has now."""
    return spec if table is None else replace(spec, table=table)
