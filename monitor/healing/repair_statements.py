"""The statements of one repair on its table, each rendered once; parameters unbound."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from psycopg import sql
from sqlalchemy import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.fragments import table
from checks.pipeline import Statement
from checks.relations import Column
from checks.statements import Fragments, compose, identifier, operator_sql, raw, render, template
from monitor.healing.repair_table import DELETE, INSERT, UPDATE, RepairTable
from monitor.healing.row_shape import (
    NAMING,
    OURS,
    literal,
    row_in_json,
    values_in_json,
    written_anew,
)

PACKAGE = "monitor.healing"
MENDS = {INSERT: "repair_insert", UPDATE: "repair_update", DELETE: "repair_delete"}
UNDOES = {
    INSERT: "repair_undo_insert",
    UPDATE: "repair_undo_update",
    DELETE: "repair_undo_delete",
}
_PARTS = {
    "asked": "repair_asked",
    "due": "repair_due",
    "present": "repair_present",
    "listed": "repair_listed",
    "outcome": "repair_outcome",
    "undo_listed": "repair_undo_listed",
    "undo_outcome": "repair_undo_outcome",
}
_VERSION = "concat_ws(' ', t.tableoid, t.ctid, t.xmin)"
_SETTLED = {
    INSERT: "NOT f.is_there",
    UPDATE: "f.ours OR NOT f.is_there",
    DELETE: "f.ours AND f.as_before",
}
"""Which rows of the ledger an undo is done with."""
_CONSTANT = re.compile(r"('([^']|'')*'|-?[0-9.]+|true|false)(::[\w. \"\[\]()]+)?")
"""A default that is the same for every row."""
# As text by the type's own function; of a table with parts, each has it for its own rows.
_AT_DEFAULT = """({column} IS NULL OR format('%%s', {column}) IN (
        (
            SELECT (a.attmissingval::text::text[])[1]
            FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = t.tableoid AND a.attname = {name} AND NOT a.attisdropped
        ), {default}
    ))"""


class RepairStatements:
    """Renders the statements of a repair. `asks_again`: batches ask `find` for their own keys; else
    they go by what the plan has frozen."""

    def __init__(self, repair: RepairTable, state_schema: str, *, asks_again: bool = True) -> None:
        self.repair = repair
        self.asks_again = asks_again
        self._state_schema = state_schema
        self._rendered: dict[str, str] = {}

    def frozen(self) -> RepairStatements:
        """The same where batches go by what the plan has frozen."""
        return RepairStatements(self.repair, self._state_schema, asks_again=False)

    def text(self, name: str) -> str:
        """The statement `name`."""
        if name not in self._rendered:
            self._rendered[name] = render(PACKAGE, name, self._fragments)
        return self._rendered[name]

    def statement(self, name: str, values: Mapping[str, object]) -> Statement:
        """The statement `name` with its parameters, to be sent along with others."""
        return Statement(self.text(name), values)

    async def run(
        self, connection: AsyncConnection, name: str, values: Mapping[str, object] | None = None
    ) -> CursorResult[Any]:
        """Run the statement `name` with its parameters."""
        return await connection.exec_driver_sql(self.text(name), dict(values or {}))

    @cached_property
    def _fragments(self) -> Fragments:
        repair = self.repair
        names: dict[str, sql.Composable] = {
            "state": sql.Identifier(self._state_schema),
            "target": table(repair.relation),
            "find": operator_sql(repair.spec.select),
            "row": row_in_json(repair.relation.columns.values(), raw("t")),
            "ours": raw(OURS).format(xmin=raw("t.xmin")),
            "stays": raw("FALSE" if repair.spec.action == DELETE else "TRUE"),
            "arbiter": _list(identifier(name) for name in repair.unique.columns if name),
            **self._keys(),
            **self._values(),
        }
        names |= self._frozen(names)
        names |= self._whole_rows(names)
        return self._parts(names)

    def _keys(self) -> Fragments:
        """How keys are read, written, compared."""
        keys = tuple(enumerate(self.repair.key_columns))

        def pairs(left: str, right: str) -> sql.Composable:
            return _all(
                raw(f"{left} = {right}").format(column=identifier(one.name), number=raw(str(n)))
                for n, one in keys
            )

        def found_is_asked(n: int, one: Column) -> sql.Composable:
            return raw("f.{} = {}").format(identifier(one.name), _as_key(one, raw(f"w.key_{n}")))

        numbers = [n for n, _ in keys]
        named = {one: raw(f"n.key_{n}") for n, one in keys}
        return {
            "asked_key": _list(
                raw("{} AS {}").format(
                    _as_key(
                        one,
                        raw("(k.key::jsonb ->> {}){}").format(literal(self._then(one)), _cast(one)),
                    ),
                    raw(f"key_{n}"),
                )
                for n, one in keys
            ),
            "asked_names": raw(", ".join(f"w.key_{n}" for n in numbers)),
            "found_key": _list(
                raw("{} AS {}").format(
                    _as_key(one, raw("f.{}{}").format(identifier(one.name), _cast(one))),
                    raw(f"key_{n}"),
                )
                for n, one in keys
            ),
            "row_key": _list(
                raw("t.{} AS {}").format(identifier(one.name), raw(f"key_{n}")) for n, one in keys
            ),
            "named_key": raw(", ".join(f"n.key_{n}" for n in numbers)),
            "key_is_whole": raw(" AND ".join(f"n.key_{n} IS NOT NULL" for n in numbers)),
            "key_in_json": values_in_json(named),
            "found_is_asked": _all(found_is_asked(n, one) for n, one in keys),
            "row_is_named": pairs("t.{column}", "n.key_{number}"),
            "row_is_asked": pairs("t.{column}", "w.key_{number}"),
            "added_is_named": pairs("t.key_{number}", "n.key_{number}"),
        }

    def _values(self) -> Fragments:
        """The new values beside the key."""
        values = tuple(enumerate(self.repair.values))
        keys = tuple(enumerate(self.repair.key_columns))
        in_json = {one: raw(f"n.new_{n}") for n, one in values}
        if self.repair.spec.action == INSERT:
            in_json = {**{one: raw(f"n.key_{n}") for n, one in keys}, **in_json}
        return {
            "found_values": raw("").join(
                raw(", f.{}{} AS {}").format(identifier(one.name), _cast(one), raw(f"new_{n}"))
                for n, one in values
            ),
            "frozen_values": raw("").join(
                raw(", (w.change ->> {}){} AS {}").format(
                    literal(one.name), _cast(one), raw(f"new_{n}")
                )
                for n, one in values
            ),
            "change": values_in_json(in_json) if in_json else raw("NULL::jsonb"),
            "changes": _list(
                raw("{} = {}").format(identifier(one.name), raw(f"n.new_{n}")) for n, one in values
            ),
            "columns": _list(identifier(one.name) for _, one in (*keys, *values)),
            "values": raw(
                ", ".join([*(f"n.key_{n}" for n, _ in keys), *(f"n.new_{n}" for n, _ in values)])
            ),
        }

    def _frozen(self, names: Fragments) -> Fragments:
        """What is frozen beside the keys where `find` is not asked again."""
        if self.asks_again:
            nothing = {"version": raw("NULL"), "versions": raw(""), "as_frozen": raw("TRUE")}
            return {**nothing, "frozen_change": raw("NULL::jsonb")}
        return {
            "version": raw(f"CASE WHEN t.ctid IS NOT NULL THEN {_VERSION} END"),
            "versions": raw("\n    LEFT JOIN {target} AS t ON {row_is_named}").format(**names),
            "as_frozen": raw(f"n.version = {_VERSION}"),
            "frozen_change": names["change"],
        }

    def _whole_rows(self, names: Fragments) -> Fragments:
        """How rows are given back as the ledger has them, and known as it has left them."""

        def old(one: Column) -> sql.Composable:
            return raw("(n.before ->> {}){}").format(literal(self._then(one)), _cast(one))

        repair = self.repair
        action, listed = repair.spec.action, repair.listed
        is_left = _all([self._alike("after", listed), *map(_at_default, repair.unlisted)])
        given = repair.values if action == UPDATE else ()
        return {
            "whole_columns": _list(identifier(one.name) for one in listed),
            "whole_values": _list(old(one) for one in listed),
            "old_values": _list(
                raw("{} = {}").format(identifier(one.name), old(one)) for one in repair.changeable
            ),
            "as_left": is_left,
            "is_left": raw("t.ctid IS NULL") if action == DELETE else is_left,
            "as_given": self._alike("before", given),
            "as_before": self._alike("before", listed if action == DELETE else ()),
            "is_settled": raw(_SETTLED[action]),
        }

    def _then(self, column: Column) -> str:
        return self.repair.then[column.name]

    def _alike(self, side: str, columns: Iterable[Column]) -> sql.Composable:
        """Whether the row `t` has these columns as that side of the ledger has them."""
        present = {
            replace(one, name=self._then(one)): raw("t.{}").format(identifier(one.name))
            for one in columns
        }
        if not present:
            return raw("TRUE")
        ledger = written_anew(raw(f"n.{side}"), present)
        return raw("({ledger} || {row}) @> {ledger}").format(
            ledger=ledger, row=values_in_json(present)
        )

    def _parts(self, names: dict[str, sql.Composable]) -> Fragments:
        """The statements that are parts of others."""
        action = self.repair.spec.action
        names["changed"] = raw("cte_added" if action == INSERT else "cte_written")
        names["given_back"] = raw("cte_added" if action == DELETE else "cte_taken")
        for part, name in _PARTS.items():
            names[part] = compose(template(PACKAGE, name), names)
        named = "repair_named" if self.asks_again else "repair_frozen"
        names["named"] = compose(template(PACKAGE, named), names)
        return names


def _cast(column: Column) -> sql.Composable:
    by = "::oid::{}" if column.cast in NAMING else "::{}"
    return raw(by).format(operator_sql(column.cast))


def _as_key(column: Column, value: sql.Composable) -> sql.Composable:
    """A value of a key, which is the same as another where the table's column says so, whatever
    `find` compares by."""
    if not column.collation_oid:
        return value
    beneath = '"C"' if column.cast == "name" else '"default"'
    collation = operator_sql(column.collation or f"pg_catalog.{beneath}")
    return raw("{} COLLATE {}").format(value, collation)


def _list(parts: Iterable[sql.Composable]) -> sql.Composable:
    return sql.SQL(", ").join(parts)


def _all(parts: Iterable[sql.Composable]) -> sql.Composable:
    return sql.SQL(" AND ").join(parts)


def _at_default(column: Column) -> sql.Composable:
    """Whether a column that came since holds in the row `t` what it came with, or nothing."""
    default = column.default or ""
    constant: sql.Composable = raw("NULL::text")
    if _CONSTANT.fullmatch(default):
        constant = raw("format('%%s', ({})::{})").format(
            operator_sql(default), operator_sql(column.type)
        )
    return raw(_AT_DEFAULT).format(
        column=raw("t.{}").format(identifier(column.name)),
        name=literal(column.name),
        default=constant,
    )
