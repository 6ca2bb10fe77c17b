"""The statements of one repair on its table, each rendered once; parameters unbound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from psycopg import sql
from sqlalchemy import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.fragments import table
from checks.relations import Column
from checks.statements import Fragments, compose, identifier, operator_sql, raw, render, template
from monitor.healing.repair_table import DELETE, INSERT, UPDATE, RepairTable
from monitor.healing.row_shape import OURS, literal, row_in_json, values_in_json
from monitor.pipeline import Statement

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
}
_VERSION = "concat_ws(' ', t.tableoid, t.ctid, t.xmin)"
_AS_LEFT = "(n.after || {row}) @> n.after"


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

        numbers = [n for n, _ in keys]
        named = {one: raw(f"n.key_{n}") for n, one in keys}
        return {
            "asked_key": _list(
                raw("(k.key::jsonb ->> {}){} AS {}").format(
                    literal(one.name), _cast(one), raw(f"key_{n}")
                )
                for n, one in keys
            ),
            "asked_names": raw(", ".join(f"w.key_{n}" for n in numbers)),
            "found_key": _list(
                raw("f.{}{} AS {}").format(identifier(one.name), _cast(one), raw(f"key_{n}"))
                for n, one in keys
            ),
            "row_key": _list(
                raw("t.{} AS {}").format(identifier(one.name), raw(f"key_{n}")) for n, one in keys
            ),
            "named_key": raw(", ".join(f"n.key_{n}" for n in numbers)),
            "key_is_whole": raw(" AND ".join(f"n.key_{n} IS NOT NULL" for n in numbers)),
            "key_in_json": values_in_json(named),
            "found_is_asked": pairs("f.{column}", "w.key_{number}"),
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
        """How rows are given back as the ledger has them."""

        def old(one: Column) -> sql.Composable:
            return raw("(n.before ->> {}){}").format(literal(one.name), _cast(one))

        repair = self.repair
        left = raw(_AS_LEFT).format(**names)
        return {
            "whole_columns": _list(identifier(one.name) for one in repair.writable),
            "whole_values": _list(old(one) for one in repair.writable),
            "old_values": _list(
                raw("{} = {}").format(identifier(one.name), old(one)) for one in repair.changeable
            ),
            "as_left": left,
            "is_left": raw("t.ctid IS NULL") if repair.spec.action == DELETE else left,
        }

    def _parts(self, names: dict[str, sql.Composable]) -> Fragments:
        """The statements that are parts of others."""
        action = self.repair.spec.action
        names["changed"] = raw("cte_added" if action == INSERT else "cte_written")
        for part, name in _PARTS.items():
            names[part] = compose(template(PACKAGE, name), names)
        named = "repair_named" if self.asks_again else "repair_frozen"
        names["named"] = compose(template(PACKAGE, named), names)
        undone = {**names, "changed": raw("cte_added" if action == DELETE else "cte_taken")}
        names["undo_outcome"] = compose(template(PACKAGE, "repair_undo_outcome"), undone)
        return names


def _cast(column: Column) -> sql.Composable:
    return raw(f"::{column.cast}")


def _list(parts: Iterable[sql.Composable]) -> sql.Composable:
    return sql.SQL(", ").join(parts)


def _all(parts: Iterable[sql.Composable]) -> sql.Composable:
    return sql.SQL(" AND ").join(parts)
