"""Which other tables the operator's SQL reads: the role needs SELECT there, and every row. And what
is beneath views that read by the role's own rights.

PostgreSQL tells: it locks what it parses, before it asks for any privilege. What only the body of a
function reads is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from psycopg import sql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.fragments import table
from checks.made_rows import mentions, no_pair, value_of
from checks.relations import Catalogue, OtherRelation, Relation
from checks.row_security import read_row_security
from checks.spec import TableRole
from checks.statements import identifier, operator_sql, render, template

_MAY_READ = re.compile(r"\b(select|table)\b", re.IGNORECASE)
_BOUND = re.compile(r"(?<!%)%\(\w+\)s")
_NAME = sql.Identifier("conservator_reads").as_string(None)


async def read_elsewhere(
    connection: AsyncConnection,
    tables: Sequence[tuple[TableRole, Relation]],
    catalogue: Catalogue | None,
) -> tuple[OtherRelation, ...]:
    """The relations beside the tables configured, each with the settings that read it. Without a
    catalogue, those that expressions for new rows read are not told."""
    configured = {relation.oid for _, relation in tables}
    found: dict[int, OtherRelation] = {}
    for setting, text, statement in (*_of_tables(tables), *_of_values(catalogue)):
        if not _MAY_READ.search(text):
            continue
        for other in await relations_read(connection, statement) or ():
            if other.oid not in configured and mentions(text, other.name.replace('"', '""')):
                known = found.setdefault(other.oid, other)
                found[other.oid] = replace(known, settings=(*known.settings, setting))
    secured = await read_row_security(connection, list(found)) if found else ()
    named = [
        replace(one, row_security=tuple(row for row in secured if row.relation == one.oid))
        for one in found.values()
    ]
    asking = {
        **{relation.oid: (role.setting("table"),) for role, relation in tables},
        **{one.oid: one.settings for one in named},
    }
    beneath = await _beneath(connection, asking)
    return (*named, *(one for oid, one in beneath.items() if oid not in asking))


async def _beneath(
    connection: AsyncConnection, asking: Mapping[int, tuple[str, ...]]
) -> Mapping[int, OtherRelation]:
    """What views among these read as the role itself. Row security there is the view's finding."""
    found: dict[int, OtherRelation] = {}
    asked = template("checks", "catalogue_beneath")
    rows = await connection.exec_driver_sql(asked, {"relations": list(asking)})
    for row in rows.mappings():
        facts = dict(row)
        settings = asking[facts.pop("view")]
        known = found.setdefault(facts["oid"], OtherRelation(**facts))
        found[known.oid] = replace(
            known, settings=tuple(dict.fromkeys((*known.settings, *settings)))
        )
    return found


def _of_tables(tables: Sequence[tuple[TableRole, Relation]]) -> Iterator[tuple[str, str, str]]:
    """Setting, the operator's text, and a statement that has it where it belongs."""
    for role, relation in tables:
        names = {"table": table(relation), "name": identifier(relation.name)}
        for setting, text in role.conditions.items():
            names = {**names, "filter": operator_sql(text)}
            yield setting, text, render("checks", "catalogue_filter", names)
        for setting, text in role.expressions.items():
            names = {**names, "moment": operator_sql(text)}
            yield setting, text, render("checks", "catalogue_moment", names)


def _of_values(catalogue: Catalogue | None) -> Iterator[tuple[str, str, str]]:
    if catalogue is None:
        return
    columns = catalogue.impressions.columns
    for setting, (name, text) in catalogue.spec.impressions.expressions.items():
        if name in columns:
            value = {"value": value_of(catalogue, name, text), "pair": no_pair(catalogue, [text])}
            yield setting, text, render("checks", "catalogue_expression", value)


async def relations_read(connection: AsyncConnection, statement: str) -> list[OtherRelation] | None:
    """What the statement names, its parameters unbound; None where PostgreSQL refuses it. In a
    transaction that has read nothing else but the catalogue."""
    savepoint = await connection.begin_nested()
    try:
        # A utility statement takes no parameters. It is parsed, and neither run nor kept.
        text = _BOUND.sub("NULL", statement)
        await connection.exec_driver_sql(f"PREPARE {_NAME} AS {text}", {})
        rows = await connection.exec_driver_sql(template("checks", "catalogue_locked"))
        found = [OtherRelation(**row) for row in rows.mappings()]
        await connection.exec_driver_sql(f"DEALLOCATE {_NAME}")
    except DBAPIError as refused:
        if refused.connection_invalidated:
            raise
        return None
    else:
        return found
    finally:
        if savepoint.is_active:
            await savepoint.rollback()
