"""What stands in the way of inserting an impression, and what an insert sets off."""

from __future__ import annotations

from collections.abc import Iterator

from checks.doctor.ddl import quoted, show_triggers
from checks.doctor.findings import Finding, healing_error, warning
from checks.doctor.input import DoctorInput, about, any_impressions
from checks.relations import Relation


@about(any_impressions)
def impressions_are_a_table(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """A view through which PostgreSQL can't write, or a foreign table, will do for reading only."""
    if impressions.takes_writes:
        return
    name = f"{impressions.schema}.{impressions.name}"
    why = f" that {'; it '.join(impressions.obstacles)}" if impressions.obstacles else ""
    yield healing_error(
        "impressions_not_a_table",
        impressions.configured,
        problem=f"{name} is a {impressions.kind.value}{why}.",
        consequence="It can be counted, but nothing can be backfilled there.",
        remedy=(
            "Name a table, or a view that shows rows of one table, with all columns that an insert "
            "must fill, as they are."
        ),
    )


def server_takes_writes(given: DoctorInput) -> Iterator[Finding]:
    """A standby, or a role or database made read-only."""
    around = given.evidence.surroundings
    if around.in_recovery:
        yield healing_error(
            "server_is_standby",
            "database.url",
            problem="The server is a standby: it replays another one and takes no writes.",
            consequence="Nothing can be backfilled, and the service can't keep its own state.",
            remedy="Name the primary in database.url; a standby belongs in database.read_url.",
        )
    elif around.read_only:
        yield healing_error(
            "transactions_read_only",
            "database.url",
            problem=f"default_transaction_read_only is on for role {given.facts.role}.",
            consequence="Nothing can be backfilled, and the service can't keep its own state.",
            remedy=(
                f"ALTER ROLE {quoted(given.facts.role)} IN DATABASE {quoted(around.database)} "
                "SET default_transaction_read_only = off;"
            ),
        )


@about(any_impressions)
def no_rules(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """ON CONFLICT is refused by a table with INSERT or UPDATE rules."""
    if not impressions.takes_writes or not impressions.write_rules:
        return
    yield healing_error(
        "write_rules",
        impressions.configured,
        problem=f"It has rules on INSERT or UPDATE: {', '.join(impressions.write_rules)}.",
        consequence="PostgreSQL refuses ON CONFLICT there, so nothing can be backfilled.",
        remedy="It can be counted. What the rules are for, the application's owner knows.",
    )


@about(any_impressions)
def inserts_stay_unnoticed(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """Triggers and publications tell others about views that never happened."""
    if impressions.insert_triggers:
        yield warning(
            "insert_triggers",
            impressions.configured,
            problem=f"Triggers fire on INSERT: {', '.join(impressions.insert_triggers)}.",
            consequence=(
                "Each backfilled impression sets them off like a real view, once a row or once a "
                "batch: counters, queues and mails would take it for one. "
                f"{_may_interfere(impressions)} Each batch is read back before it is committed: "
                "where something else is there, the run fails and the batch is not written."
            ),
            remedy=f"See that they may run for synthetic views: {show_triggers(impressions)}",
        )
    if impressions.update_triggers and given.spec.impressions.set:
        yield warning(
            "update_triggers",
            impressions.configured,
            problem=f"Triggers are there on UPDATE: {', '.join(impressions.update_triggers)}.",
            consequence=(
                "catalog.impressions.set changes rows that are there: each one may set them off "
                "like a change by the application, and once more when an undo gives it back. What "
                "they change beside the columns of `set`, undo does not give back. Each batch is "
                "read back before it is committed: where something else is there, the run fails "
                "and the batch is not written."
            ),
            remedy=f"See that they may run for synthetic views: {show_triggers(impressions)}",
        )
    if impressions.publications:
        yield warning(
            "publications",
            impressions.configured,
            problem=f"Inserts are published: {', '.join(impressions.publications)}.",
            consequence=(
                "Every subscriber receives backfilled impressions and can't tell them from real "
                "views without this service's ledger."
            ),
            remedy=(
                f"Publish {quoted(given.state_schema)}.backfilled_impression as well, so that "
                "subscribers can leave those rows out."
            ),
        )


@about(any_impressions)
def written_columns_are_writable(given: DoctorInput, impressions: Relation) -> Iterator[Finding]:
    """A generated column among those that an impression is made of."""
    spec = given.spec.impressions
    for name in spec.filled:
        column = impressions.columns.get(name)
        if column is not None and column.generated:
            yield healing_error(
                "column_generated",
                f"{impressions.configured}.{name}",
                problem="The column is GENERATED ALWAYS.",
                consequence="Every insert of a backfill would fail.",
                remedy=f"Name the column that the application itself writes, instead of {name}.",
            )


def _may_interfere(impressions: Relation) -> str:
    """What triggers may make of an inserted row, which only running them would tell."""
    before = impressions.row_changing_triggers
    after = [name for name in impressions.insert_triggers if name not in before]
    may = [
        f"{', '.join(names)} may {what}"
        for names, what in ((before, "change or drop a row"), (after, "change or delete it later"))
        if names
    ]
    return f"{'; '.join(may)}."
