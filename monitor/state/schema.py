"""Creates and upgrades the state schema; says whether it is current.

Id columns take the types that the app's own tables have (`checks/state_columns.py`), and follow
them when those change.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType

from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.citus.cluster import read_ledger
from checks.doctor.ddl import comment, create_policies
from checks.doctor.row_security import needed, view_remedy
from checks.errors import CatalogueError
from checks.relations import Catalogue, Command, RowSecurity, Written
from checks.row_security import HEALER, READER, SERVICE_ROLES, read_row_security
from checks.sequences import DrawnSequence, read_sequences
from checks.state_columns import originals
from checks.statements import Fragments, raw, render
from monitor.state.following import follow_types, gathering_statement, ledger_name, missing_changes

PACKAGE = "monitor.state"
REVISIONS = (
    "0001_first",
    "0002_left_alone",
    "0003_checks",
    "0004_alerts",
    "0005_fewer_tables",
    "0006_whole_rows",
    "0007_catalogue",
    "0008_ledger_moments",
    "0009_earlier_runs",
    "0010_batch_size",
    "0011_plan_artworks",
    "0012_cron",
    "0013_repairs",
    "0014_listed_pairs",
)
"""The upgrades in order, each by the name of its file in sql/, which begins with its number."""
CURRENT = REVISIONS[-1][:4]
"""The newest revision."""


def state_fragments(catalogue: Catalogue, state_schema: str) -> Fragments:
    """The fragments that statements over the state schema may name."""
    types = {
        f"{original.value}_type": raw(column.storage)
        for original, column in originals(catalogue).items()
    }
    return {"state": sql.Identifier(state_schema), **types}


_POLICIES = """
-- Row security is on: without these policies the roles would have only a part of the rows, or none,
-- and nothing is counted by that. They are for these roles alone: what the app sees stays as it is.
{}
"""
_LEDGER_OF_HEALER = (
    "-- Named once more, so that Citus passes it on to the nodes.\n"
    "GRANT SELECT, INSERT, UPDATE, DELETE ON {state}.backfilled_impression TO {healer};\n"
)


async def version(connection: AsyncConnection, state_schema: str) -> str | None:
    """The schema's revision, or None where there is no schema yet."""
    exists = await connection.exec_driver_sql(
        "SELECT to_regclass(format('%%I.schema_version', %(schema)s::text)) IS NOT NULL",
        {"schema": state_schema},
    )
    if not exists.scalar_one():
        return None
    statement = render(PACKAGE, "schema_version", {"state": sql.Identifier(state_schema)})
    found: str | None = (await connection.exec_driver_sql(statement)).scalar_one_or_none()
    return found


async def is_current(connection: AsyncConnection, state_schema: str) -> bool:
    """Whether the schema is there, at the newest revision."""
    return await version(connection, state_schema) == CURRENT


def require_known(found: str | None, state_schema: str) -> None:
    """Raises CatalogueError where the schema's revision is one of a newer conservator."""
    if found is not None and found > CURRENT:
        raise CatalogueError(
            f"The state schema {state_schema} is at revision {found}, this conservator knows up to"
            f" {CURRENT}: start the newer version, or give this one another database.state_schema."
        )


async def is_complete(
    connection: AsyncConnection, catalogue: Catalogue, state_schema: str, *, follow: bool = True
) -> bool:
    """Whether `upgrade` has nothing to do; without `follow`, but for the types of the app's
    columns."""
    if not await is_current(connection, state_schema):
        return False
    # A ledger that is spread for nothing works as well.
    must_lie_so = follow or ledger_is_spread(catalogue)
    if must_lie_so and await ledger_is_apart(connection, catalogue, state_schema):
        return False
    return not (follow and await missing_changes(connection, catalogue, state_schema))


async def upgrade(connection: AsyncConnection, catalogue: Catalogue, state_schema: str) -> bool:
    """Create or upgrade the schema; True when something was done. Safe to call from many at once.

    The caller's transaction holds it all: a failure leaves nothing behind. Raises CatalogueError
    when the schema was made by a newer conservator.
    """
    await connection.exec_driver_sql(
        "SELECT pg_advisory_xact_lock(hashtextextended('conservator ' || %(schema)s::text, 0))",
        {"schema": state_schema},
    )
    if catalogue.cluster is not None:
        # A schema that this transaction makes is taken to the nodes over one connection each.
        await connection.exec_driver_sql("SET LOCAL citus.multi_shard_modify_mode = 'sequential'")
    found = await version(connection, state_schema)
    if found == CURRENT:
        followed = await follow_types(connection, catalogue, state_schema)
        return await spread_ledger(connection, catalogue, state_schema) or followed
    require_known(found, state_schema)
    if found is None:
        await _create(connection, state_schema)
    # Alembic is loaded only when there is something to create: it costs memory and start-up time.
    from monitor.state import migrations  # noqa: PLC0415

    await connection.run_sync(
        migrations.upgrade, state_schema, state_fragments(catalogue, state_schema), REVISIONS
    )
    await follow_types(connection, catalogue, state_schema)
    await spread_ledger(connection, catalogue, state_schema)
    return True


async def spread_ledger(
    connection: AsyncConnection, catalogue: Catalogue, state_schema: str
) -> bool:
    """Put the ledger beside impressions that Citus spreads by user, and on the coordinator beside
    all others; True when it was not there.

    A run's row, its batches and all other tables stay on the coordinator, which alone asks them.
    """
    if not await ledger_is_apart(connection, catalogue, state_schema):
        return False
    found = (await read_ledger(connection, state_schema)).distribution
    if found is not None:
        await connection.exec_driver_sql(gathering_statement(state_schema))
    if ledger_is_spread(catalogue):
        await connection.exec_driver_sql(spread_statement(catalogue, state_schema))
    return True


async def ledger_is_apart(
    connection: AsyncConnection, catalogue: Catalogue, state_schema: str
) -> bool:
    """Whether the ledger does not lie where it belongs on Citus; False where there is none."""
    if catalogue.cluster is None:
        return False
    beside = catalogue.impressions.distribution
    found = (await read_ledger(connection, state_schema)).distribution
    if beside is None or not ledger_is_spread(catalogue):
        return found is not None
    return found is None or found.colocation != beside.colocation


def ledger_is_spread(catalogue: Catalogue) -> bool:
    """Whether the ledger belongs into shards."""
    return catalogue.impressions.is_hashed_by(catalogue.spec.impressions.user)


def spread_statement(catalogue: Catalogue, state_schema: str) -> str:
    """The statement that spreads the ledger as the impressions are."""
    impressions = catalogue.impressions
    beside = sql.Identifier(impressions.schema, impressions.name).as_string(None)
    call = sql.SQL("SELECT create_distributed_table({}, 'user_id', colocate_with => {})")
    return call.format(ledger_name(state_schema), sql.Literal(beside)).as_string(None)


async def _create(connection: AsyncConnection, state_schema: str) -> None:
    # IF NOT EXISTS asks for CREATE on the database even where the schema is there already.
    exists = await connection.exec_driver_sql(
        "SELECT to_regnamespace(quote_ident(%(schema)s::text)) IS NOT NULL",
        {"schema": state_schema},
    )
    if not exists.scalar_one():
        create = sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(state_schema))
        await connection.exec_driver_sql(create.as_string(None))


def script(
    catalogue: Catalogue,
    state_schema: str,
    found: str | None = None,
    changes: Sequence[str] = (),
) -> str:
    """The schema as a script, as `init --print-sql` shows it: whole, or what is missing since the
    revision `found`, with `changes` by which it follows the app's types; a comment where that is
    nothing."""
    from monitor.state import migrations  # noqa: PLC0415

    spread = _changes_script(changes) + _spread_script(catalogue, state_schema)
    if found == CURRENT:
        return f"-- The schema {state_schema} is there, at revision {found}.\n{spread}"
    text = migrations.script(
        state_schema, state_fragments(catalogue, state_schema), REVISIONS, found
    )
    if found is not None:
        return f"{text}\n{spread}"
    create = sql.SQL("CREATE SCHEMA IF NOT EXISTS {};").format(sql.Identifier(state_schema))
    return f"{create.as_string(None)}\n\n{text}\n{spread}"


def _changes_script(changes: Sequence[str]) -> str:
    if not changes:
        return ""
    statements = ";\n".join(changes)
    return f"""
-- The types of the application's columns have changed: these follow, all or none of them.
BEGIN;
{statements};
COMMIT;
"""


def _spread_script(catalogue: Catalogue, state_schema: str) -> str:
    literal = ledger_name(state_schema).as_string(None)
    if not ledger_is_spread(catalogue):
        return "" if catalogue.cluster is None else _gather_script(literal, state_schema)
    return f"""
-- Citus: the ledger lies beside the impressions, shard by shard, so that each batch is committed
-- with its ledger by the same nodes. Everything else stays on the coordinator.
DO $$ BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_dist_partition AS p WHERE p.logicalrelid = {literal}::regclass
    ) THEN
        PERFORM {spread_statement(catalogue, state_schema).removeprefix("SELECT ")};
    END IF;
END $$;
"""


def _gather_script(literal: str, state_schema: str) -> str:
    return f"""
-- Citus: the impressions are not in shards by user, so the ledger is in none, either.
DO $$ BEGIN
    IF EXISTS (
        SELECT FROM pg_catalog.pg_dist_partition AS p WHERE p.logicalrelid = {literal}::regclass
    ) THEN
        PERFORM {gathering_statement(state_schema).removeprefix("SELECT ")};
    END IF;
END $$;
"""


async def impression_sequences(
    connection: AsyncConnection, catalogue: Catalogue
) -> tuple[DrawnSequence, ...]:
    """Each sequence that an insert of an impression advances."""
    return await read_sequences(
        connection, catalogue.impressions, catalogue.spec, catalogue.named_sequences
    )


async def service_row_security(
    connection: AsyncConnection, catalogue: Catalogue
) -> tuple[RowSecurity, ...]:
    """Where row security would apply to the roles that `grants` makes."""
    relations = [one.oid for _, one in catalogue.relations]
    relations += [one.oid for one in catalogue.read_elsewhere]
    return await read_row_security(connection, relations, SERVICE_ROLES)


def _policies(catalogue: Catalogue, found: Sequence[RowSecurity]) -> str:
    """The policies without which the roles would not have every row; empty where they do."""
    elsewhere = {one.oid: (Command.SELECT,) for one in catalogue.read_elsewhere}
    needs = {**elsewhere, **{one.oid: needed(role, one) for role, one in catalogue.relations}}

    def place(one: RowSecurity) -> tuple[str, str, bool]:
        return one.schema, one.name, one.by_owner_of_view

    openings = []
    for _, group in groupby(sorted(found, key=place), place):
        of_table = list(group)
        lacking: dict[Command, list[str]] = {}
        for one in of_table:
            for command in needs[one.relation]:
                reads = one.viewer != READER or command is Command.SELECT
                if reads and command not in one.open_for:
                    roles = lacking.setdefault(command, [])
                    roles += [one.role] if one.role not in roles else []
        if lacking:
            openings.append(_opening(catalogue, of_table[0], lacking))
    return _POLICIES.format("\n".join(openings)) if openings else ""


def _opening(
    catalogue: Catalogue, security: RowSecurity, lacking: Mapping[Command, Sequence[str]]
) -> str:
    """What opens one table to the roles, or a comment that says why no policy can."""
    names = {
        **{one.oid: f"{one.schema}.{one.name}" for one in catalogue.read_elsewhere},
        **{one.oid: one.configured for _, one in catalogue.relations},
    }
    name = f"{security.schema}.{security.name}"
    if security.by_owner_of_view:
        view = names[security.relation]
        return comment(f"{view} reads {name} as {security.role}. {view_remedy(view)}")
    if security.restrictive:
        policies = ", ".join(security.restrictive)
        return comment(
            f"{name}: no policy can overrule the restrictive {policies}. A superuser may run ALTER"
            " ROLE ... BYPASSRLS for the role that logs in; it is not inherited."
        )
    return create_policies(security, lacking)


def grants(
    catalogue: Catalogue,
    state_schema: str,
    sequences: Sequence[DrawnSequence],
    row_security: Sequence[RowSecurity] = (),
    repairs: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> str:
    """The roles and grants that a least-privilege deployment needs, as a script; with the policies,
    where `row_security` would hide rows from them. `repairs`: by name, the statements that each
    needs beside."""
    read = [(one.schema, one.name) for _, one in catalogue.relations]
    read += [(one.schema, one.name) for one in catalogue.read_elsewhere]
    schemas = {schema for schema, _ in read}
    names: dict[str, sql.Composable] = {
        "state": sql.Identifier(state_schema),
        "reader": sql.Identifier(READER),
        "healer": sql.Identifier(HEALER),
        "reader_name": sql.Literal(READER),
        "healer_name": sql.Literal(HEALER),
        "policies": raw(_policies(catalogue, row_security)),
        "repairs": raw("".join(_of_repair(*one) for one in repairs.items())),
        "schemas": sql.SQL(", ").join(sql.Identifier(schema) for schema in sorted(schemas)),
        "sequences": raw(_grants_on(sequences, schemas)),
        "readable": sql.SQL(", ").join(sql.Identifier(*name) for name in dict.fromkeys(read)),
        "written": sql.SQL(", ").join(
            sql.Identifier(one.schema, one.name) for one in _written(catalogue)
        ),
    }
    names["updates"] = raw(_grant_of_updates(catalogue))
    names["ledger_of_healer"] = raw(
        _LEDGER_OF_HEALER if ledger_is_spread(catalogue) else ""
    ).format(**names)
    return render(PACKAGE, "grants", names)


def _of_repair(name: str, statements: Sequence[str]) -> str:
    lines = "\n".join(statements)
    return f"\n-- The repair {name}, and its undo:\n{lines}\n" if statements else ""


def _grant_of_updates(catalogue: Catalogue) -> str:
    """What bringing a row to count needs, and putting back what it had: the columns of `set`."""
    updated = catalogue.spec.impressions.set
    if not updated:
        return ""
    grants = [
        sql.SQL("GRANT UPDATE ({columns}) ON {table} TO {healer};\n").format(
            columns=sql.SQL(", ").join(
                sql.Identifier(one.columns.get(name, name)) for name in updated
            ),
            table=sql.Identifier(one.schema, one.name),
            healer=sql.Identifier(HEALER),
        )
        for one in _written(catalogue)
    ]
    return sql.SQL("").join(grants).as_string(None)


def _written(catalogue: Catalogue) -> tuple[Written, ...]:
    """The impressions, and what is beneath a view that writes by the role's own rights."""
    found = catalogue.impressions
    beneath = () if found.base is None else found.base.written_by_role
    return (Written(found.schema, found.name, {}), *beneath)


def _grants_on(sequences: Sequence[DrawnSequence], schemas: Collection[str]) -> str:
    """What healing needs of the sequences: to draw, except for identity columns, and to see how
    much is left. `schemas` are granted already."""
    healer = sql.Identifier(HEALER).as_string(None)
    lines: dict[str, None] = {}
    for one in sequences:
        if one.schema not in schemas:
            schema = sql.Identifier(one.schema).as_string(None)
            lines[f"GRANT USAGE ON SCHEMA {schema} TO {healer};\n"] = None
        for privilege in ("SELECT",) if one.identity else ("USAGE", "SELECT"):
            lines[f"GRANT {privilege} ON SEQUENCE {one.quoted} TO {healer};\n"] = None
    return "".join(lines)
