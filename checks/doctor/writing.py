"""What stands in the way of inserting an impression, and what an insert sets off."""

from __future__ import annotations

from collections.abc import Iterator

from checks.doctor.case import TABLES, Case
from checks.doctor.findings import Finding, healing_error, warning
from checks.doctor.naming import quoted, show_triggers, table


def impressions_are_a_table(case: Case) -> Iterator[Finding]:
    """A view or a foreign table will do for reading only."""
    impressions = case.facts.impressions
    if impressions is None or impressions.kind in TABLES:
        return
    yield healing_error(
        "impressions_not_a_table",
        impressions.configured,
        problem=f"{impressions.schema}.{impressions.name} is a {impressions.kind.value}.",
        consequence=(
            "It can be counted, but nothing can be backfilled: ON CONFLICT needs a unique index, "
            "and only a table has one."
        ),
        remedy="catalog.impressions.table: <the table beneath it>",
    )


def server_takes_writes(case: Case) -> Iterator[Finding]:
    """A standby, or a role or database made read-only."""
    around = case.evidence.surroundings
    if around.in_recovery:
        yield healing_error(
            "server_is_standby",
            "database.url",
            problem="The server is a standby: it replays another one and takes no writes.",
            consequence="Nothing can be backfilled, and the service can't keep its own state.",
            remedy="database.url: <the primary>   # a standby belongs in database.read_url",
        )
    elif around.read_only:
        yield healing_error(
            "transactions_read_only",
            "database.url",
            problem=f"default_transaction_read_only is on for role {case.facts.role}.",
            consequence="Nothing can be backfilled, and the service can't keep its own state.",
            remedy=(
                f"ALTER ROLE {quoted(case.facts.role)} IN DATABASE {quoted(around.database)} "
                "SET default_transaction_read_only = off;"
            ),
        )


def no_rules(case: Case) -> Iterator[Finding]:
    """ON CONFLICT is refused by a table with INSERT or UPDATE rules."""
    impressions = case.facts.impressions
    if impressions is None or impressions.kind not in TABLES or not impressions.write_rules:
        return
    yield healing_error(
        "write_rules",
        impressions.configured,
        problem=f"It has rules on INSERT or UPDATE: {', '.join(impressions.write_rules)}.",
        consequence="PostgreSQL refuses ON CONFLICT there, so nothing can be backfilled.",
        remedy="\n".join(
            f"DROP RULE {quoted(rule)} ON {table(impressions)};" for rule in impressions.write_rules
        )
        + "  -- a trigger can do the same",
    )


def inserts_stay_unnoticed(case: Case) -> Iterator[Finding]:
    """Triggers and publications tell others about views that never happened."""
    impressions = case.facts.impressions
    if impressions is None:
        return
    if impressions.insert_triggers:
        yield warning(
            "insert_triggers",
            impressions.configured,
            problem=f"Triggers fire on INSERT: {', '.join(impressions.insert_triggers)}.",
            consequence=(
                "Each backfilled impression sets them off like a real view, once a row or once a "
                "batch: counters, queues and mails would take it for one."
            ),
            remedy=(
                f"{show_triggers(impressions)}  -- and see that they may run for synthetic views"
            ),
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
                f"-- publish {quoted(case.state_schema)}.backfilled_impression as well, so that "
                "subscribers can leave those rows out"
            ),
        )
