"""Undo, breaker, leadership, quarantine, tallies: what healing needs to be left alone."""

from alembic import context, op

from monitor.state.schema import migration_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for statement in migration_sql("0002_left_alone", context.config.attributes["fragments"]):
        op.execute(statement)
