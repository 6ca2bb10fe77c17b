"""Every rule, in the order in which a person would mend what it finds, and the examination."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.catalogue import read_catalogue
from checks.citus import keys as citus_keys
from checks.citus import rules as citus
from checks.doctor import (
    access,
    advice,
    defaults,
    moments,
    pair_suspicions,
    references,
    row_security,
    row_suspicions,
    state_types,
    time_zones,
    uniqueness,
    unreadable_moments,
    values,
    vanished,
    writability,
)
from checks.doctor.findings import Blocks, Examination, Finding, Severity
from checks.doctor.input import DoctorInput, Rule
from checks.doctor.probes import ProbeSuite
from checks.row_security import switch_off
from checks.spec import CatalogueSpec, PoolsSpec

RULES: tuple[Rule, ...] = (
    access.missing_tables,
    access.missing_columns,
    citus.connected_to_the_coordinator,
    citus.every_node_answers,
    access.tables_are_readable,
    access.others_are_readable,
    row_security.every_row_is_open,
    moments.moments_are_moments,
    unreadable_moments.expressions_run,
    references.keys_are_ids,
    references.keys_are_comparable,
    time_zones.timezone_is_known,
    access.filters_run,
    uniqueness.ids_are_unique,
    uniqueness.ids_are_utf8,
    row_suspicions.ids_are_whole_keys,
    row_suspicions.rows_are_views,
    row_suspicions.rows_are_in_use,
    row_suspicions.ids_are_above_zero,
    row_suspicions.parents_are_in_use,
    writability.server_takes_writes,
    writability.impressions_are_a_table,
    uniqueness.key_tells_rows_apart,
    uniqueness.pair_is_unique,
    uniqueness.views_hide_no_pair,
    uniqueness.filters_hide_no_pair,
    uniqueness.other_uniqueness,
    citus.impressions_are_spread_by_user,
    citus.rows_are_known_by_their_pair,
    citus.values_are_of_no_pair,
    citus.ledger_lies_beside_the_impressions,
    citus.ledger_is_spread_for_nothing,
    citus.others_join_everywhere,
    defaults.required_columns_are_filled,
    values.values_fit_columns,
    values.made_rows_count,
    values.made_rows_are_shown,
    writability.written_columns_are_writable,
    writability.no_rules,
    access.impressions_are_insertable,
    access.sequences_are_usable,
    access.sequences_last,
    access.state_schema_is_possible,
    state_types.state_types_follow,
    writability.inserts_stay_unnoticed,
    time_zones.defaults_tell_the_same_time,
    time_zones.zoneless_moments,
    references.pair_is_not_null,
    references.impressions_have_keys,
    pair_suspicions.nobody_crosses,
    pair_suspicions.nothing_viewed_before,
    pair_suspicions.somebody_saw_each,
    pair_suspicions.unknown_ids,
    vanished.deleted_on_purpose,
    citus_keys.keys_would_spread,
    citus.counts_are_approximate,
    advice.indexes_serve_the_counts,
    advice.pairs_are_indexed,
    advice.tables_are_analysed,
    advice.users_have_an_age,
    advice.ageing_adds_rows,
)

_WORST_FIRST = tuple(Blocks), tuple(Severity)


def judge(given: DoctorInput) -> tuple[Finding, ...]:
    """All findings that nobody has accepted: first what blocks counting, then what blocks healing,
    then what would help; otherwise in the order of the rules."""
    blocks, severities = _WORST_FIRST
    findings = [
        finding
        for rule in RULES
        for finding in rule(given)
        if finding.accepted_as not in given.spec.accept
    ]
    return tuple(
        sorted(findings, key=lambda one: (blocks.index(one.blocks), severities.index(one.severity)))
    )


async def examine(
    connection: AsyncConnection,
    spec: CatalogueSpec,
    pools: PoolsSpec,
    *,
    state_schema: str,
    patience: timedelta = timedelta(seconds=10),
) -> Examination:
    """Everything there is to say about the tables, worst first; nothing is written.

    Needs a connection inside a transaction that only reads. `patience` bounds each question that
    reads rows; one that takes longer is reported as unanswered.
    """
    facts = await read_catalogue(connection, spec)
    if not facts.row_security:
        # The operator's filters may read other tables, and must not be hidden rows there either.
        await switch_off(connection)
    evidence = await ProbeSuite(connection, facts, pools, state_schema, patience).gather()
    given = DoctorInput(facts=facts, pools=pools, evidence=evidence, state_schema=state_schema)
    return Examination(findings=judge(given), catalogue=facts.catalogue)
