"""Results of checks and their transitions, recording samples, validation reports."""

from alembic import context, op

from monitor.state.schema import migration_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for statement in migration_sql("0003_checks", context.config.attributes["fragments"]):
        op.execute(statement)
