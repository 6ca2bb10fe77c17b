"""Strangers' galleries configured by names alone, and what has to be said of each."""

from __future__ import annotations

from checks.doctor.findings import Blocks
from monitor.config import Mode
from tests.support.naive import Expected, NaiveCase

# A column is named by a word of its own, so that nobody has to know how the finding is worded.
NAIVE_CASES = (
    NaiveCase(
        "anonymous",
        Blocks.HEALING,
        (Expected("glances_once", Blocks.HEALING, "pair_index"),),
        told=("gone_at", "listed", "admitted", "stand_in"),
        never=("CREATE UNIQUE INDEX",),
    ),
    NaiveCase(
        "composite_keys",
        Blocks.COUNTING,
        (
            Expected("sheets.sheet_no", Blocks.COUNTING, "ids_not_unique"),
            Expected("patrons.patron_no", Blocks.COUNTING, "ids_not_unique"),
            Expected("visits.last_look", Blocks.COUNTING, "not_a_moment"),
        ),
    ),
    NaiveCase(
        "deleted_on_purpose",
        Blocks.HEALING,
        (
            Expected("cleared_at", Blocks.HEALING, "nothing_viewed_before_cleared_at"),
            Expected("seconds", Blocks.HEALING, "column_without_default"),
            Expected("first_at", Blocks.HEALING, "column_without_default"),
        ),
        told=("on_show", "barred"),
    ),
    NaiveCase(
        "derived_value",
        Blocks.HEALING,
        (Expected("wing_id", Blocks.HEALING, "column_without_default"),),
        told=("enabled",),
    ),
    NaiveCase(
        "domain_ids",
        Blocks.HEALING,
        (Expected("sightings.code", Blocks.HEALING, "column_without_default"),),
        told=("away", "gone"),
    ),
    NaiveCase(
        "epoch",
        Blocks.COUNTING,
        (
            Expected("pieces.made", Blocks.COUNTING, "not_a_moment"),
            Expected("looks.looked", Blocks.COUNTING, "not_a_moment"),
        ),
    ),
    NaiveCase(
        "existence_only",
        Blocks.COUNTING,
        (Expected("ticks.viewed_at", Blocks.COUNTING, "column_missing"),),
    ),
    NaiveCase(
        "framework_times",
        Blocks.HEALING,
        (Expected("updated_at", Blocks.HEALING, "column_without_default"),),
        told=("barred", "admitted", "shown"),
    ),
    NaiveCase(
        "polymorphic",
        Blocks.HEALING,
        (
            Expected("kind", Blocks.HEALING),
            Expected("seen_things", Blocks.HEALING, "pair_index"),
            Expected("wing_id", Blocks.HEALING, "column_without_default"),
        ),
        never=("CREATE UNIQUE INDEX", "kind: (?!'''print'''})"),
    ),
    # Sound but for what is told: as configured, it would be healed.
    NaiveCase("row_security", Blocks.NOTHING, (), told=("on_show",), mode=Mode.OBSERVE),
    NaiveCase(
        "row_security",
        Blocks.COUNTING,
        (
            Expected("visitors", Blocks.COUNTING, "row_security"),
            Expected("sightings", Blocks.COUNTING, "row_security"),
        ),
        role="gallery_stranger",
    ),
    NaiveCase(
        "status_rows",
        Blocks.HEALING,
        (
            Expected("seen_at", Blocks.HEALING),
            Expected("dealings.people_no", code="unknown_users"),
        ),
        told=("withdrawn", "refused"),
        never=("FOREIGN KEY",),
    ),
    NaiveCase(
        "subscriptions",
        Blocks.HEALING,
        (
            Expected("seen", Blocks.HEALING),
            Expected("pass_id", Blocks.HEALING, "column_without_default"),
        ),
        told=("barred",),
    ),
    NaiveCase(
        "tenants",
        Blocks.HEALING,
        (
            Expected("studio_id", Blocks.HEALING, "nobody_crosses_studio_id"),
            Expected("openings", Blocks.HEALING, "pair_index_missing"),
        ),
        told=("left_at", "barred_at", "binned_at", "stored_at", "sketch"),
    ),
)
