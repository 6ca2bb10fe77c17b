"""Identifiers and statements for the remedies, ready to be pasted."""

from __future__ import annotations

from psycopg import sql

from checks.catalogue import relation_identifier
from checks.relations import Index, Kind, Relation

_NAME_BYTES = 63  # NAMEDATALEN - 1


def quoted(*parts: str) -> str:
    """One identifier, its parts quoted and joined with dots."""
    return sql.Identifier(*parts).as_string(None)


def table(relation: Relation) -> str:
    """The relation with its schema."""
    return relation_identifier(relation).as_string(None)


def columns(*names: str) -> str:
    """A list of columns in brackets."""
    return f"({', '.join(quoted(name) for name in names)})"


def index_of(relation: Relation, name: str) -> str:
    """An index, which lives in its table's schema."""
    return quoted(relation.schema, name)


def create_index(relation: Relation, *names: str, unique: bool = False) -> str:
    """CREATE INDEX without blocking writers; in pieces where the table is partitioned."""
    what = "UNIQUE INDEX" if unique else "INDEX"
    name = _index_name(relation, names, "key" if unique else "idx")
    if relation.kind is not Kind.PARTITIONED:
        return f"CREATE {what} CONCURRENTLY {quoted(name)} ON {table(relation)} {columns(*names)};"
    return (
        f"CREATE {what} {quoted(name)} ON ONLY {table(relation)} {columns(*names)};\n"
        f"-- then for each partition P: CREATE {what} CONCURRENTLY P_index ON P "
        f"{columns(*names)}; ALTER INDEX {index_of(relation, name)} ATTACH PARTITION P_index;"
    )


def drop_index(relation: Relation, index: Index) -> str:
    """The statement that removes it: a constraint's index goes with the constraint."""
    if index.constraint is None:
        return f"DROP INDEX CONCURRENTLY {index_of(relation, index.name)};"
    return f"ALTER TABLE {table(relation)} DROP CONSTRAINT {quoted(index.constraint)};"


def listed(index: Index) -> str:
    """The key columns, for a person."""
    return f"({', '.join(name or '<expression>' for name in index.columns)})"


def find_duplicates(relation: Relation, *names: str) -> str:
    """The keys that are there several times."""
    return (
        sql.SQL("SELECT {key}, count(*) FROM {table} GROUP BY {key} HAVING count(*) > 1;")
        .format(
            key=sql.SQL(", ").join([sql.Identifier(name) for name in names]),
            table=relation_identifier(relation),
        )
        .as_string(None)
    )


def find_nulls(relation: Relation, name: str) -> str:
    """The rows without a key."""
    return (
        sql.SQL("SELECT * FROM {table} WHERE {key} IS NULL;")
        .format(table=relation_identifier(relation), key=sql.Identifier(name))
        .as_string(None)
    )


def find_orphans(relation: Relation, name: str, target: Relation, target_name: str) -> str:
    """The rows whose key has no row in `target`."""
    return (
        sql.SQL(
            "SELECT * FROM {table} AS i WHERE i.{key} IS NOT NULL AND NOT EXISTS "
            "(SELECT FROM {target} AS t WHERE t.{id} = i.{key});"
        )
        .format(
            table=relation_identifier(relation),
            key=sql.Identifier(name),
            target=relation_identifier(target),
            id=sql.Identifier(target_name),
        )
        .as_string(None)
    )


def show_triggers(relation: Relation) -> str:
    """The definitions of the relation's triggers."""
    return (
        sql.SQL(
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger "
            "WHERE tgrelid = {table}::regclass AND NOT tgisinternal;"
        )
        .format(table=sql.Literal(table(relation)))
        .as_string(None)
    )


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
