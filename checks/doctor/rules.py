"""Every rule, in the order in which a person would mend what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from checks.doctor import (
    advice,
    citus,
    clocks,
    column_types,
    expressions,
    pair_index,
    presence,
    privileges,
    references,
    uniqueness,
    writing,
)
from checks.doctor.case import Case
from checks.doctor.findings import Finding, Severity

Rule = Callable[[Case], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    presence.missing_tables,
    presence.missing_columns,
    citus.connected_to_the_coordinator,
    privileges.tables_are_readable,
    privileges.all_rows_are_visible,
    column_types.moments_are_moments,
    column_types.keys_are_orderable,
    column_types.keys_are_comparable,
    clocks.timezone_is_known,
    expressions.filters_run,
    uniqueness.ids_are_unique,
    writing.server_takes_writes,
    writing.impressions_are_a_table,
    pair_index.pair_is_unique,
    uniqueness.other_uniqueness,
    citus.impressions_are_spread_by_user,
    citus.ledger_lies_beside_the_impressions,
    citus.others_join_everywhere,
    expressions.required_columns_are_filled,
    expressions.defaults_fill_columns,
    expressions.written_columns_are_writable,
    writing.no_rules,
    privileges.impressions_are_insertable,
    privileges.sequences_are_usable,
    privileges.state_schema_is_possible,
    writing.inserts_stay_unnoticed,
    clocks.defaults_tell_the_same_time,
    clocks.zoneless_moments,
    references.pair_is_not_null,
    references.impressions_have_keys,
    citus.keys_would_spread,
    citus.counts_are_approximate,
    advice.indexes_serve_the_counts,
    advice.tables_are_analysed,
    advice.users_have_an_age,
    advice.ageing_adds_rows,
)

_WORST_FIRST = tuple(Severity)


def judge(case: Case) -> tuple[Finding, ...]:
    """All findings, errors first, otherwise in the order of the rules."""
    findings = [finding for rule in RULES for finding in rule(case)]
    return tuple(sorted(findings, key=lambda finding: _WORST_FIRST.index(finding.severity)))
