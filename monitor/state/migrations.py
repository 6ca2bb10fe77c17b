"""The upgrades of the state schema, carried out and recorded by Alembic, or printed as a script.

Each revision is a file of statements in sql/; `monitor/state/schema.py` lists them in order.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from functools import partial
from types import ModuleType

from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import Script
from alembic.script.revision import RevisionMap
from sqlalchemy import Connection
from sqlalchemy.util import await_only

from checks.pipeline import run_script
from checks.statements import Fragments, compose, template

PACKAGE = "monitor.state"


def upgrade(
    connection: Connection, state_schema: str, fragments: Fragments, revisions: tuple[str, ...]
) -> None:
    """Bring the schema from the revision that it has to the last of `revisions`, in the caller's
    transaction."""
    options = _options(state_schema, fragments, revisions)
    MigrationContext.configure(connection, opts=options).run_migrations()


def script(
    state_schema: str, fragments: Fragments, revisions: tuple[str, ...], found: str | None
) -> str:
    """What `upgrade` would run since the revision `found`; everything where that is None."""
    printed = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql",
        opts={
            **_options(state_schema, fragments, revisions),
            "as_sql": True,
            "literal_binds": True,
            "output_buffer": printed,
            "starting_rev": found,
        },
    )
    context.run_migrations()
    # Alembic asks for what it has just inserted; in a script that is noise.
    return re.sub(r" RETURNING [^;]*;", ";", printed.getvalue()).strip()


def _options(
    state_schema: str, fragments: Fragments, revisions: tuple[str, ...]
) -> dict[str, object]:
    return {
        "version_table_schema": state_schema,
        "version_table": "schema_version",
        "fn": partial(_missing_steps, fragments, revisions),
    }


def _missing_steps(
    fragments: Fragments,
    names: tuple[str, ...],
    heads: tuple[str, ...],
    context: MigrationContext,
) -> list[MigrationStep]:
    """One step for each revision after the schema's, which is all that `heads` can hold."""
    revisions = RevisionMap(partial(_revisions, fragments, names, context))
    missing = revisions.iterate_revisions(names[-1][:4], heads or "base", implicit_base=True)
    oldest_first = [revision for revision in missing if isinstance(revision, Script)][::-1]
    return [MigrationStep.upgrade_from_script(revisions, revision) for revision in oldest_first]


def _revisions(
    fragments: Fragments, names: tuple[str, ...], context: MigrationContext
) -> Iterator[Script]:
    before = None
    for name in names:
        yield _revision(name, before, fragments, context)
        before = name[:4]


def _revision(
    name: str, before: str | None, fragments: Fragments, context: MigrationContext
) -> Script:
    """The file `name` as what Alembic reads from a module of Python."""

    def upgrade() -> None:
        text = compose(template(PACKAGE, name), fragments).as_string(None)
        if context.connection is not None and not context.as_sql:
            await_only(run_script(context.connection, text))
            return
        for statement in text.split(";\n"):
            if statement.strip():
                # SQLAlchemy's text() reads `:word` as a parameter; no upgrade has one.
                context.execute(statement.strip().replace(":", r"\:"))

    module = ModuleType(name)
    vars(module).update(down_revision=before, upgrade=upgrade)
    return Script(module, name[:4], name)
