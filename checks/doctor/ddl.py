"""Identifiers and statements for the remedies, ready to be pasted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import sql

from checks.relations import Command, Index, Kind, Relation, RowSecurity
from checks.statements import compose, raw

_NAME_BYTES = 63  # NAMEDATALEN - 1
_POLICY_CLAUSES = {
    Command.SELECT: "USING (true)",
    Command.INSERT: "WITH CHECK (true)",
    Command.UPDATE: "USING (true) WITH CHECK (true)",
    Command.DELETE: "USING (true)",
}


def quoted(*parts: str) -> str:
    """One identifier, its parts quoted and joined with dots."""
    return sql.Identifier(*parts).as_string(None)


def table(relation: Relation) -> str:
    """The relation with its schema."""
    return _name(relation).as_string(None)


def columns(*names: str) -> str:
    """A list of columns in brackets."""
    return f"({', '.join(quoted(name) for name in names)})"


def index_of(relation: Relation, name: str) -> str:
    """An index, which lives in its table's schema."""
    return quoted(relation.beneath.schema, name)


def create_index(relation: Relation, *names: str, unique: bool = False) -> str:
    """CREATE INDEX without blocking writers; in pieces where the table is partitioned."""
    relation, names = relation.beneath, relation.beneath_columns(*names)
    what = "UNIQUE INDEX" if unique else "INDEX"
    name = _index_name(relation, names, "key" if unique else "idx")
    if relation.kind is not Kind.PARTITIONED:
        return f"CREATE {what} CONCURRENTLY {quoted(name)} ON {table(relation)} {columns(*names)};"
    return (
        f"CREATE {what} {quoted(name)} ON ONLY {table(relation)} {columns(*names)};\n"
        f"-- then for each partition P: CREATE {what} CONCURRENTLY P_index ON P "
        f"{columns(*names)}; ALTER INDEX {index_of(relation, name)} ATTACH PARTITION P_index;"
    )


def create_policies(security: RowSecurity, lacking: Mapping[Command, Sequence[str]]) -> str:
    """Policies that open the table to the roles that are `lacking` something: one for all commands
    where they lack all of it."""
    on, taken = quoted(security.schema, security.name), set(security.policies)
    roles = {command: sorted(names, reverse=True) for command, names in lacking.items() if names}
    # UPDATE is lacking only where anything is updated, and what is for all commands is for it, too.
    needed = set(Command) - {Command.UPDATE}
    everything = roles.keys() >= needed and set().union(*roles.values()) == set(
        roles[Command.SELECT]
    )
    if everything:
        name, to = _policy_name("conservator", taken), _listed(roles[Command.SELECT])
        return f"CREATE POLICY {name} ON {on} TO {to} USING (true) WITH CHECK (true);"
    return "\n".join(
        f"CREATE POLICY {_policy_name(f'conservator_{command.lower()}', taken)} ON {on}"
        f" FOR {command} TO {_listed(roles[command])} {_POLICY_CLAUSES[command]};"
        for command in Command
        if command in roles
    )


def _policy_name(wanted: str, taken: set[str]) -> str:
    """`wanted`, or the first of it with a number that no policy of the table has."""
    number = 1
    while (name := wanted if number == 1 else f"{wanted}_{number}") in taken:
        number += 1
    return quoted(name)


def _listed(roles: Sequence[str]) -> str:
    return ", ".join(quoted(role) for role in roles)


def comment(text: str) -> str:
    """An SQL comment of one line, whatever names are in it."""
    return f"-- {' '.join(text.split())}"


def listed(index: Index) -> str:
    """The key columns, for a person."""
    return f"({', '.join(name or '<expression>' for name in index.columns)})"


def find_duplicates(relation: Relation, *names: str) -> str:
    """The keys that are there several times."""
    key = raw(", ".join(quoted(name) for name in names))
    text = "SELECT {key}, count(*) FROM {table} GROUP BY {key} HAVING count(*) > 1;"
    return _filled(text, key=key, table=_name(relation))


def find_nulls(relation: Relation, name: str) -> str:
    """The rows without a key."""
    text = "SELECT * FROM {table} WHERE {key} IS NULL;"
    return _filled(text, table=_name(relation), key=sql.Identifier(name))


def find_orphans(relation: Relation, name: str, target: Relation, target_name: str) -> str:
    """The rows whose key has no row in `target`."""
    return _filled(
        # Citus takes no NOT EXISTS here.
        "SELECT i.* FROM {table} AS i LEFT JOIN {target} AS t ON t.{id} = i.{key} "
        "WHERE i.{key} IS NOT NULL AND t.{id} IS NULL;",
        table=_name(relation),
        key=sql.Identifier(name),
        target=_name(target),
        id=sql.Identifier(target_name),
    )


def among(name: str, key: str, table_name: str, condition: str) -> str:
    """A condition: `name` is the key of one of the table's rows for which `condition` holds."""
    return _filled(
        "{name} IN (SELECT {key} FROM {table} WHERE {condition})",
        name=raw(name),
        key=raw(key),
        table=raw(table_name),
        condition=raw(condition),
    )


def show_triggers(relation: Relation) -> str:
    """The definitions of the relation's triggers."""
    return _filled(
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger "
        "WHERE tgrelid = {table}::regclass AND NOT tgisinternal;",
        table=sql.Literal(table(relation.beneath)),
    )


def _name(relation: Relation) -> sql.Identifier:
    return sql.Identifier(relation.schema, relation.name)


def _filled(text: str, **parts: sql.Composable) -> str:
    return compose(text, parts).as_string(None)


def _index_name(relation: Relation, names: tuple[str, ...], suffix: str) -> str:
    taken = {index.name for index in relation.indexes}
    stem = "_".join((relation.name, *names))
    for attempt in range(1, len(taken) + 2):
        end = f"_{suffix}" if attempt == 1 else f"_{suffix}{attempt}"
        room = _NAME_BYTES - len(end.encode())
        name = stem.encode()[:room].decode(errors="ignore") + end
        if name not in taken:
            return name
    raise AssertionError("one name more than there are indexes is always free")
