"""Creates and upgrades the state schema; says whether it is current.

Id columns take the types that the app's own tables have, so that an analyst joins the ledger
without a cast.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncConnection

from checks.citus.cluster import read_ledger
from checks.errors import CatalogueError
from checks.relations import Catalogue
from checks.sequences import DrawnSequence, read_sequences
from checks.statements import Fragments, raw, render

PACKAGE = "monitor.state"
REVISIONS = ("0001_first", "0002_left_alone", "0003_checks", "0004_alerts", "0005_fewer_tables")
"""The upgrades in order, each by the name of its file in sql/, which begins with its number."""
CURRENT = REVISIONS[-1][:4]
"""The newest revision."""
READER = "conservator_reader"
HEALER = "conservator_healer"
"""The roles of a least-privilege deployment."""


def state_fragments(catalogue: Catalogue, state_schema: str) -> Fragments:
    """The fragments that statements over the state schema may name."""
    spec = catalogue.spec
    impressions = catalogue.impressions.columns
    return {
        "state": sql.Identifier(state_schema),
        "user_type": raw(catalogue.users.columns[spec.users.id].type),
        "artwork_type": raw(catalogue.artworks.columns[spec.artworks.id].type),
        "impression_user_type": raw(impressions[spec.impressions.user].type),
        "impression_artwork_type": raw(impressions[spec.impressions.artwork].type),
        "viewed_at_type": raw(impressions[spec.impressions.viewed_at].type),
    }


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
        return await spread_ledger(connection, catalogue, state_schema)
    if found is not None and found > CURRENT:
        raise CatalogueError(
            f"The state schema {state_schema} is at revision {found}, this conservator knows up to"
            f" {CURRENT}: start the newer version, or give this one another database.state_schema."
        )
    if found is None:
        await _create(connection, state_schema)
    # Alembic is loaded only when there is something to create: it costs memory and start-up time.
    from monitor.state import migrations  # noqa: PLC0415

    await connection.run_sync(
        migrations.upgrade, state_schema, state_fragments(catalogue, state_schema), REVISIONS
    )
    await spread_ledger(connection, catalogue, state_schema)
    return True


async def spread_ledger(
    connection: AsyncConnection, catalogue: Catalogue, state_schema: str
) -> bool:
    """Put the ledger beside impressions that Citus spreads by user; True when it was not there.

    A run's row, its batches and all other tables stay on the coordinator, which alone asks them.
    """
    if not await ledger_is_apart(connection, catalogue, state_schema):
        return False
    found = (await read_ledger(connection, state_schema)).distribution
    if found is not None:
        gather = sql.SQL("SELECT undistribute_table({})").format(_ledger_name(state_schema))
        await connection.exec_driver_sql(gather.as_string(None))
    await connection.exec_driver_sql(spread_statement(catalogue, state_schema))
    return True


async def ledger_is_apart(
    connection: AsyncConnection, catalogue: Catalogue, state_schema: str
) -> bool:
    """Whether the ledger does not lie where it belongs on Citus; False where there is none."""
    beside = catalogue.impressions.distribution
    if catalogue.cluster is None or beside is None or not ledger_is_spread(catalogue):
        return False
    found = (await read_ledger(connection, state_schema)).distribution
    return found is None or found.colocation != beside.colocation


def ledger_is_spread(catalogue: Catalogue) -> bool:
    """Whether the ledger belongs into shards."""
    return catalogue.impressions.is_hashed_by(catalogue.spec.impressions.user)


def spread_statement(catalogue: Catalogue, state_schema: str) -> str:
    """The statement that spreads the ledger as the impressions are."""
    impressions = catalogue.impressions
    beside = sql.Identifier(impressions.schema, impressions.name).as_string(None)
    call = sql.SQL("SELECT create_distributed_table({}, 'user_id', colocate_with => {})")
    return call.format(_ledger_name(state_schema), sql.Literal(beside)).as_string(None)


def _ledger_name(state_schema: str) -> sql.Literal:
    return sql.Literal(sql.Identifier(state_schema, "backfilled_impression").as_string(None))


async def _create(connection: AsyncConnection, state_schema: str) -> None:
    # IF NOT EXISTS asks for CREATE on the database even where the schema is there already.
    exists = await connection.exec_driver_sql(
        "SELECT to_regnamespace(quote_ident(%(schema)s::text)) IS NOT NULL",
        {"schema": state_schema},
    )
    if not exists.scalar_one():
        create = sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(state_schema))
        await connection.exec_driver_sql(create.as_string(None))


def script(catalogue: Catalogue, state_schema: str, found: str | None = None) -> str:
    """The schema as a script, as `init --print-sql` shows it: whole, or what is missing since the
    revision `found`; a comment where that is nothing."""
    from monitor.state import migrations  # noqa: PLC0415

    spread = _spread_script(catalogue, state_schema)
    if found == CURRENT:
        return f"-- The schema {state_schema} is there, at revision {found}.\n{spread}"
    text = migrations.script(
        state_schema, state_fragments(catalogue, state_schema), REVISIONS, found
    )
    if found is not None:
        return f"{text}\n{spread}"
    create = sql.SQL("CREATE SCHEMA IF NOT EXISTS {};").format(sql.Identifier(state_schema))
    return f"{create.as_string(None)}\n\n{text}\n{spread}"


def _spread_script(catalogue: Catalogue, state_schema: str) -> str:
    if not ledger_is_spread(catalogue):
        return ""
    literal = _ledger_name(state_schema).as_string(None)
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


async def impression_sequences(
    connection: AsyncConnection, catalogue: Catalogue
) -> tuple[DrawnSequence, ...]:
    """Each sequence that an insert of an impression advances."""
    return await read_sequences(
        connection, catalogue.impressions, catalogue.spec, catalogue.named_sequences
    )


def grants(catalogue: Catalogue, state_schema: str, sequences: Sequence[DrawnSequence]) -> str:
    """The roles and grants that a least-privilege deployment needs, as a script."""
    relations = (catalogue.artworks, catalogue.users, catalogue.impressions)
    names: dict[str, sql.Composable] = {
        "state": sql.Identifier(state_schema),
        "reader": sql.Identifier(READER),
        "healer": sql.Identifier(HEALER),
        "reader_name": sql.Literal(READER),
        "healer_name": sql.Literal(HEALER),
        "schemas": sql.SQL(", ").join(
            sql.Identifier(schema) for schema in sorted({r.schema for r in relations})
        ),
        "sequences": raw(_grants_on(sequences, {r.schema for r in relations})),
    }
    names["ledger_of_healer"] = raw(
        _LEDGER_OF_HEALER if ledger_is_spread(catalogue) else ""
    ).format(**names)
    for key, relation in zip(("artworks", "users", "impressions"), relations, strict=True):
        names[key] = sql.Identifier(relation.schema, relation.name)
    return render(PACKAGE, "grants", names)


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
