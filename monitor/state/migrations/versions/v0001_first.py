"""The first tables: runs, work lists, batches, the ledger, control, counters, history."""

from alembic import context, op

from monitor.state.schema import migration_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    for statement in migration_sql("0001_first", context.config.attributes["fragments"]):
        op.execute(statement)
