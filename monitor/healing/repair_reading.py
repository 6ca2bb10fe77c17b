"""What a repair's table is, and what stands in its way there: read from the database.

Nothing is written. `find` is parsed and explained, and returns no row here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.catalogue import read_relation
from checks.doctor.ddl import quoted
from checks.doctor.ddl import table as table_name
from checks.errors import CatalogueError, Refusal
from checks.read_elsewhere import relations_read
from checks.relations import Catalogue, OtherRelation, Relation
from checks.row_security import RowGuard, read_row_security
from checks.statements import operator_sql, render, template
from monitor.database_errors import PARAMETERS, UNBOUND
from monitor.healing.ledger_columns import ColumnsDifferError, follow_columns
from monitor.healing.repair_faults import (
    RepairFault,
    key_of,
    of_columns,
    of_consequences,
    of_key,
    of_privileges,
    of_relation,
    of_rules,
    of_types,
    unreadable,
)
from monitor.healing.repair_table import (
    INSERT,
    UNDONE_BY,
    UPDATE,
    FoundColumn,
    RepairSpec,
    RepairTable,
    TableNow,
    asked_table,
)
from monitor.state.runs import Run

PACKAGE = "monitor.healing"
_SYNTAX = "42601"
_NO_SELECT = (
    "It is no single SELECT ({}). Expected one SELECT that reads, without a semicolon inside."
)


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
    faults = [*unreadable(elsewhere, catalogue.role)]
    returned = () if undoes or faults else await _columns_of(connection, spec)
    if reads is None and not isinstance(returned, RepairFault):
        returned = RepairFault("find", _NO_SELECT.format("it is one only within brackets"))
    if isinstance(returned, RepairFault):
        faults.append(returned)
        returned = ()
    if relation is None:
        visible = f"no table {spec.table} that is visible to role {catalogue.role}"
        return [RepairFault("table", f"There is {visible}: correct the name."), *faults]
    broken = [*of_relation(relation, state_schema, catalogue.role)]
    if broken:
        return [*broken, *faults]
    found = tuple(one.name for one in returned)
    impressions = catalogue.impressions.beneath.oid
    then: Mapping[str, str] = {name: name for name in relation.columns}
    if undone is not None:
        ledger = await _ledger(connection, relation, spec, undone, impressions)
        if isinstance(ledger, RepairFault):
            return [ledger]
        then, found, spec = ledger
    key, unique = key_of(spec, relation)
    needed = spec.privileges_to_undo if undoes else spec.privileges
    does = UNDONE_BY[spec.action] if undoes else spec.action
    now = await _table_now(connection, asked_table(relation, does, key, found), impressions)
    faults = [
        *faults,
        *of_key(spec, relation, key, unique),
        *of_rules(relation, now),
        *([] if undoes or faults else of_columns(spec, relation, key, found, now)),
        *of_types(relation, key, returned),
        *([] if undoes else of_consequences(spec, relation, now)),
        *of_privileges(needed, relation, now, catalogue.role),
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
    present = await _table_now(connection, asked_table(relation, spec.action, (), ()), impressions)
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


async def _columns_of(
    connection: AsyncConnection, spec: RepairSpec
) -> tuple[FoundColumn, ...] | RepairFault:
    """What `find` returns, which is asked for no row."""
    text = render(PACKAGE, "repair_columns", {"find": operator_sql(spec.select)})
    savepoint = await connection.begin_nested()
    try:
        result = await connection.exec_driver_sql(text, {})
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
        if told.sqlstate == UNBOUND:
            return RepairFault("find", PARAMETERS.format("It"))
        why = f"{told.sqlstate}: {told.message}"
        if told.sqlstate == _SYNTAX:
            return RepairFault("find", _NO_SELECT.format(why))
        return RepairFault("find", f"It is refused by PostgreSQL ({why}).")
    finally:
        if savepoint.is_active:
            await savepoint.rollback()


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
