"""Alembic's entry: runs the upgrades on the connection, or into the script, that it is handed."""

from alembic import context

config = context.config
state_schema: str = config.attributes["state_schema"]
connection = config.attributes["connection"]

context.configure(
    connection=None if context.is_offline_mode() else connection,
    dialect_name="postgresql",
    version_table_schema=state_schema,
    version_table="schema_version",
    as_sql=context.is_offline_mode(),
    literal_binds=context.is_offline_mode(),
)
context.run_migrations()
