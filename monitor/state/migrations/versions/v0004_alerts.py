"""What Alertmanager has told."""

from alembic import context, op

from monitor.state.schema import migration_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for statement in migration_sql("0004_alerts", context.config.attributes["fragments"]):
        op.execute(statement)
