"""Statements that the program does not execute by themselves, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping

_PART = "a part of other statements, with which it is executed"
_DDL = "it makes or removes tables, and reads none"
_SMALL = "it reads and writes a few rows of the service's own tables, whatever the gallery's size"
_SERVER = "it reads the server's own state, and no table"
_ONCE = "it reads the catalogue alone"
_ODD = "it is asked only of tables that lack something, and is bounded by catalogue_patience"
_SHAPES = (
    "the sample gallery's impressions need only the plain form; tests/integration/test_any_shape.py"
    " looks at its plan"
)
_CITUS = "it is sent to Citus only, which can't be had here; its shape is tested by a parser"

LEFT_OUT: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "0001_first",
            "0002_left_alone",
            "0003_checks",
            "0004_alerts",
            "0005_fewer_tables",
            "0006_whole_rows",
        ),
        _DDL,
    ),
    **dict.fromkeys(("0007_catalogue", "0008_ledger_moments"), _DDL),
    **dict.fromkeys(("0009_earlier_runs", "0010_batch_size", "0011_plan_artworks"), _DDL),
    **dict.fromkeys(("0012_cron", "0013_repairs", "0014_listed_pairs"), _DDL),
    **dict.fromkeys(("grants", "uninstall"), _DDL),
    **dict.fromkeys(("affected_users", "affected_users_by_owner"), _PART),
    **dict.fromkeys(("affected_users_by_total", "repair_due"), _PART),
    **dict.fromkeys(("visit_pages", "visit_pages_no_more"), _SERVER),
    **dict.fromkeys(("discover_tables", "discover_columns", "discover_keys"), _ONCE),
    **dict.fromkeys(("discover_size", "discover_by_index"), _ONCE),
    **dict.fromkeys(
        (
            *("discover_column", "discover_gap", "discover_inside_id", "discover_membership"),
            *("discover_named", "discover_owner", "discover_pairs", "discover_shown"),
            "discover_values",
        ),
        "it is asked by `discover` only, reads a sample, and is bounded by catalogue_patience",
    ),
    **dict.fromkeys(("affected_users_by_pair", "affected_users_by_user_age"), _PART),
    **dict.fromkeys(("census_result", "pool_exhaustion_result", "missing_pairs"), _PART),
    **dict.fromkeys(("work_list", "plan_work"), _PART),
    "plan_users": "it selects what `work_insert` does",
    "plan_pairs": "it selects what `batch_insert` does",
    "work_insert": "of more rows than a small gallery misses; it inserts what `plan_walk` selects",
    **dict.fromkeys(("catalogue_expression", "catalogue_refuted"), "it is explained and never run"),
    "catalogue_view_filter": "it is explained and never run",
    "catalogue_exclusion": _SERVER,
    "catalogue_view": _ONCE,
    "catalogue_one_value": _ODD,
    "catalogue_not_utf8": _ODD,
    **dict.fromkeys(("catalogue_sequences", "catalogue_sequence_start"), _ONCE),
    "catalogue_farthest": (
        "it is asked where a sequence can't be read, ends at one row of the index that numbered"
        " columns have, and what takes too long counts as unknown"
    ),
    **dict.fromkeys(
        (
            "not_quarantined",
            "quarantine_cured",
            "quarantined_by_user",
            "quarantined_pairs",
            "quarantine_waiting",
        ),
        _PART,
    ),
    **dict.fromkeys(("batch_bring", "undo_give_back", "left_alone", "left_alone_by_user"), _SHAPES),
    **dict.fromkeys(("batch_insert_any_shape", "batch_read_back_any_shape"), _SHAPES),
    **dict.fromkeys(("undo_batch_any_shape", "undo_left_any_shape"), _SHAPES),
    **dict.fromkeys(("undo_survey_any_shape", "left_alone_count"), _SHAPES),
    **dict.fromkeys(("repair_asked", "repair_frozen", "repair_listed", "repair_named"), _PART),
    **dict.fromkeys(("repair_outcome", "repair_present", "repair_undo_listed"), _PART),
    "repair_undo_outcome": _PART,
    "repair_columns": "it is asked for no row",
    **dict.fromkeys(("repair_restricted", "repair_whole"), "it is explained and never run"),
    "repair_undo_next": "of a row that the table refuses; it reads one row of the ledger",
    **dict.fromkeys(("repair_table", "repair_sequences", "repair_types"), _ONCE),
    **dict.fromkeys(("repair_slice", "repair_work_delete", "repair_last_runs"), _SMALL),
    **dict.fromkeys(("repair_controls", "repair_resume", "repair_suspend"), _SMALL),
    **dict.fromkeys(("repair_breaker_open", "repair_breaker_reset", "repair_rows_fallen"), _SMALL),
    **dict.fromkeys(("repair_status_read", "repair_status_write", "repair_decisions"), _SMALL),
    **dict.fromkeys(("repair_last_ended", "repair_runs_ended"), _SMALL),
    "run_planned_repair": _SMALL,
    **dict.fromkeys(("control_wake", "validation_keep", "validations_read"), _SMALL),
    **dict.fromkeys(("control_breaker_open", "control_share_fallen", "control_tallied"), _SMALL),
    # A lease is renewed where a run takes its time, which is not the program's to say.
    **dict.fromkeys(("run_renew", "leader_confirm", "leader_release", "leader_take"), _SMALL),
    **dict.fromkeys(("run_claim", "run_hold", "run_waiting", "run_waits_add"), _SMALL),
    **dict.fromkeys(("batch_behind", "batch_foreseen", "run_close"), _SMALL),
    **dict.fromkeys(("relation_name", "relation_named"), _ONCE),
    "ledger_of_runs": "it is asked only where types follow another table, a probe a run",
    # Asked of a batch that takes longer than a tenth of a second.
    "blocked_by": _SERVER,
    **dict.fromkeys(("primary_position", "replica_position"), _SERVER),
    **dict.fromkeys(("catalogue_relations", "uninstall_sizes"), _ONCE),
    **dict.fromkeys(("catalogue_citus", "catalogue_citus_table", "catalogue_citus_ledger"), _CITUS),
    **dict.fromkeys(("affected_users_by_owner_on_citus", "census_by_owner_on_citus"), _CITUS),
    **dict.fromkeys(("pool_exhaustion_by_owner_on_citus", "missing_pairs_on_citus"), _CITUS),
    **dict.fromkeys(
        ("undo_batch_on_citus", "undo_left_on_citus", "undo_users", "ledger_sweep_users"), _CITUS
    ),
    **dict.fromkeys(("quarantined_pairs_on_citus", "quarantine_drop"), _CITUS),
    **dict.fromkeys(("ledger_sweep_on_citus", "history_listed"), _CITUS),
    **dict.fromkeys(("left_alone_on_citus", "catalogue_listed_before_on_citus"), _CITUS),
    "catalogue_never_seen_on_citus": _CITUS,
    "ledger_rows": _CITUS,
    **dict.fromkeys(("history_old_runs", "catalogue_distinct_users"), _CITUS),
    "catalogue_type": _ONCE,
    "catalogue_moment": "it is asked for no row, and only where a moment is an expression",
    **dict.fromkeys(
        ("catalogue_moment_values", "viewed_step"),
        "it is asked only where a moment is an expression: of all rows, bounded by"
        " catalogue_patience; or up to the first one that is told to the second",
    ),
    **dict.fromkeys(("catalogue_numbers", "catalogue_texts"), _ODD),
    **dict.fromkeys(("catalogue_orphans", "catalogue_random_keys", "catalogue_referenced"), _ODD),
    **dict.fromkeys(
        ("row_kinds", "key_rest"),
        "it is asked only where another question was answered yes, and is bounded by"
        " catalogue_patience",
    ),
    **dict.fromkeys(
        (
            "catalogue_crossing",
            "catalogue_shared_values",
            "catalogue_viewed_before",
        ),
        "it is asked only where users and artworks share a column, or users have moments of their"
        " own, reads a part of the impressions, and is bounded by catalogue_patience",
    ),
    "pool_young_seen": (
        "it is asked only where nobody's pool is exhausted, and somebody's is in the gallery of the"
        " plans; tests/integration/test_check_plans.py shows which index it reads"
    ),
    "catalogue_never_seen": "it is asked by doctor, and is bounded by catalogue_patience",
    "catalogue_older_views": (
        "it is asked only where users have a creation time that is not configured, reads a part of"
        " the impressions, and is bounded by catalogue_patience"
    ),
    "catalogue_own_value": (
        "it is asked only of a column that must be given and is not, reads a part of the"
        " impressions, and is bounded by catalogue_patience"
    ),
    "catalogue_listed_before": (
        "it is asked only where pairs are listed and users have moments of their own, ends at the"
        " first row, and is bounded by catalogue_patience"
    ),
    **dict.fromkeys(("catalogue_locked", "catalogue_read_only"), _SERVER),
    "catalogue_shown": "it is asked only where impressions are a view with a WHERE, of no table",
    **dict.fromkeys(
        ("catalogue_value_type", "catalogue_moment", "catalogue_type"), "it is asked for no row"
    ),
    "catalogue_made_rows": (
        "it is asked only where conditions say which impressions count, makes a thousand rows at"
        " most, and is bounded by catalogue_patience"
    ),
    "catalogue_below_zero": (
        "it is asked only of numbers, reads both ends of the key's index, and is bounded by"
        " catalogue_patience"
    ),
    "catalogue_nulls": (
        "it is asked only of a table whose id is no key, ends at the first row, and is bounded by"
        " catalogue_patience"
    ),
}
