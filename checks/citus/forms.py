"""Which statements Citus takes in another form, and how their pieces are written for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from psycopg import sql

from checks.citus.cluster import Distribution, DistributionMethod
from checks.relations import Catalogue, Engine
from checks.statements import Fragments, raw

ON_CITUS: Mapping[str, str] = {
    "census_by_owner": "census_by_owner_on_citus",
    "affected_users_by_owner": "affected_users_by_owner_on_citus",
    "pool_exhaustion_by_owner": "pool_exhaustion_by_owner_on_citus",
    "missing_pairs": "missing_pairs_on_citus",
    "quarantined_pairs": "quarantined_pairs_on_citus",
    "undo_batch": "undo_batch_on_citus",
    "undo_left": "undo_left_on_citus",
    "left_alone": "left_alone_on_citus",
    "catalogue_listed_before": "catalogue_listed_before_on_citus",
    "catalogue_never_seen": "catalogue_never_seen_on_citus",
    "ledger_sweep": "ledger_sweep_on_citus",
}
"""Statements that Citus takes in another form only, where that would cost PostgreSQL more than a
tenth (`python -m bench.citus`)."""


def form_of(engine: Engine, name: str) -> str:
    """The name of the statement's form for the engine: most have one for both."""
    return ON_CITUS.get(name, name) if engine is Engine.CITUS else name


def materializations(engine: Engine) -> Fragments:
    """How a CTE that reads one table is written.

    Citus refuses many a join of tables that don't lie beside each other, and none with a result
    that it has at hand: so each table is read by itself, and what is joined are the results.
    PostgreSQL joins as it likes best. `leaf` is for what is named once, `inline` for more often.
    """
    apart = engine is Engine.CITUS
    return {
        "leaf": raw("MATERIALIZED" if apart else ""),
        "inline": raw("MATERIALIZED" if apart else "NOT MATERIALIZED"),
    }


def tracked_audience(
    impressions: sql.Composable, user: sql.Composable, counted_users: sql.Composable
) -> sql.Composable:
    """The users with an impression, with the columns of `counted_users`, as a subselect.

    Citus refuses to look for each user whether there is an impression somewhere: here it is a join
    with everybody who is named by one.
    """
    return sql.SQL(
        "(WITH cte_named AS MATERIALIZED ("
        "SELECT DISTINCT i.{user} AS user_id FROM {impressions} AS i)"
        " SELECT u.* FROM {counted_users} AS u"
        " JOIN cte_named AS named ON named.user_id = u.id)"
    ).format(user=user, impressions=impressions, counted_users=counted_users)


def shown_pairs(
    engine: Engine,
    pairs: sql.Composable,
    impressions: sql.Composable,
    user: sql.Composable,
    artwork: sql.Composable,
) -> sql.Composable:
    """The SELECT of the pairs (user_id, artwork_id) with an impression, each once, of those in the
    CTE `pair`; on PostgreSQL of all, because they are joined with `pair` in any case.

    On Citus which of them were shown is found where the impressions are.
    """
    if engine is not Engine.CITUS:
        return sql.SQL("SELECT p.user_id, p.artwork_id FROM {} AS p").format(pairs)
    return sql.SQL(
        "SELECT DISTINCT i.{user} AS user_id, i.{artwork} AS artwork_id FROM {impressions} AS i"
        " JOIN cte_pair AS p ON p.user_id = i.{user} AND p.artwork_id = i.{artwork}"
    ).format(impressions=impressions, user=user, artwork=artwork)


def on_citus(catalogue: Catalogue) -> Catalogue:
    """The same tables as they would best be spread: impressions by user, the others everywhere.

    For showing and testing the statements where there is no Citus.
    """
    by_user = Distribution(DistributionMethod.HASH, catalogue.spec.impressions.user, 1)
    everywhere = Distribution(DistributionMethod.REFERENCE, None, 2)
    return replace(
        catalogue,
        impressions=replace(catalogue.impressions, distribution=by_user),
        users=replace(catalogue.users, distribution=everywhere),
        artworks=replace(catalogue.artworks, distribution=everywhere),
        engine=Engine.CITUS,
    )
