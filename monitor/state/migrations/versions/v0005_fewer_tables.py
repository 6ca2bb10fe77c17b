"""Alerts wake the loop and are recorded no more; what nobody reads any more goes."""

from alembic import context, op

from monitor.state.schema import migration_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for statement in migration_sql("0005_fewer_tables", context.config.attributes["fragments"]):
        op.execute(statement)
