"""No statement that goes to Citus has a shape that Citus refuses, however the tables are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from checks import row_faults, supply
from checks.affected import affected_users, affected_users_count_sql
from checks.catalogue import read_catalogue
from checks.census import census_sql, exact_forms
from checks.citus.forms import on_citus
from checks.fragments import MomentColumn, fragments
from checks.recording_rate import queries
from checks.relations import Catalogue, Engine
from checks.spec import Audience, PoolsSpec
from checks.statements import render
from monitor.healing.statements import HealingStatements, Part
from monitor.loop.tallies import _ARTWORK, _USER, _names
from monitor.state.runs import RunKind
from monitor.state.statements import StateStatements
from tests.support.app_schema import AppSchema
from tests.support.citus_grammar import (
    APART,
    CLOCK,
    CORRELATED,
    IN_TARGETS,
    LATERAL,
    LOCKS,
    MIXED,
    NOT_IN,
    SUBCOMMANDS,
    USING,
    faults,
)
from tests.support.databases import EMPTY, cloned
from tests.support.open_schema import open_schema
from tests.support.paired_schemas import SAME_AGED, SAME_OWNED, THROUGH, THROUGH_ALL
from tests.support.postgres import PostgresServer
from tests.support.schema_matrix import AGED, APP, LOOSE, OWNED, OWNED_AGED, USERS_FILTERED
from tests.support.servers import EMBEDDED

pytestmark = pytest.mark.long

LEDGER = "backfilled_impression"
HEALING = (
    *(
        "plan_recurring",
        "verify_plan",
        "work_insert",
        "work_insert_listed",
        "quarantine_count",
        "quarantine_of_user",
    ),
    *("quarantine_over", "quarantine_drop", "quarantine_retry_all", "quarantine_new"),
    *("undo_left", "undo_survey", "undo_size", "undo_user_flags"),
    *("batch_begin", "batch_advance", "batch_record", "undo_advance", "undo_unverified"),
)
STATE = (
    *("erased_users", "forget_users", "ledger_sweep", "ledger_place", "history_old_runs"),
    *("history_listed", "history_prune", "work_slice", "run_claim", "run_insert_undo", "run_close"),
)


@pytest.fixture(scope="module")
def url(server: PostgresServer) -> Iterator[str]:
    with cloned(server, EMPTY) as made:
        yield made


def every_statement(catalogue: Catalogue, pools: PoolsSpec) -> Mapping[str, str]:
    """Everything that is asked of, or written to, the app's tables and the ledger."""
    state = StateStatements(catalogue, pools, "conservator")
    healing = HealingStatements(state)
    names = fragments(catalogue, pools)
    found = {
        form.value: census_sql(form, names, catalogue.engine) for form in exact_forms(catalogue)
    }
    found["affected_users_count"] = affected_users_count_sql(catalogue, names)
    found["affected_users"] = affected_users(catalogue, names).as_string(None)
    found["plan_exhausted"] = supply.exhausted_sql(catalogue, pools)
    created = catalogue.created
    found["plan_young_users"] = render(
        "checks",
        "plan_young_users",
        {**names, "user_created": MomentColumn(created, "UTC").moment()},
    )
    found |= {name: render("checks", name, names) for name in ("user_census", "explain_pair")}
    for write in (
        row_faults.duplicates_sql,
        row_faults.orphans_sql,
        row_faults.timestamps_sql,
        supply.pool_sql,
    ):
        found |= write(catalogue, pools)
    found |= supply.supply_sql(catalogue, pools)
    found |= {
        name: text
        for name, text in queries.statements(catalogue, pools, "conservator").items()
        if name != queries.CLOCK
    }
    found |= {name: healing.text(name) for name in HEALING}
    found |= {name: state.text(name) for name in STATE}
    found |= {
        f"tally_{side}_take": render("monitor.state", "tally_take", _names(state, side))
        for side in (_ARTWORK, _USER)
    }
    for kind in (RunKind.HEAL, RunKind.USER):
        for quarantine in (False, True):
            for part in Part:
                key = f"batch_insert {kind} {part} {quarantine}"
                found[key] = healing.batch_insert(kind, part, quarantine=quarantine)
                found[f"plan_pairs {key}"] = healing.plan_pairs(kind, part, quarantine=quarantine)
            key = f"quarantine_next {kind} {quarantine}"
            found[key] = healing.quarantine_next(kind, quarantine=quarantine)
    found |= {name: healing.plan_by_hand(name) for name in ("plan_users", "plan_walk")}
    for begun in (False, True):
        for name in ("undo_batch", "undo_next"):
            found[f"{name} {begun}"] = healing.over_ledger(name, begun=begun)
    return found


def refused(catalogue: Catalogue, pools: PoolsSpec) -> dict[str, set[str]]:
    spread = {LEDGER, catalogue.impressions.name}
    others = {relation.name for _, relation in catalogue.relations} - spread
    judged = {
        name: faults(text, spread=spread, others=others)
        for name, text in every_statement(catalogue, pools).items()
    }
    return {name: kinds for name, kinds in judged.items() if kinds}


# The shapes are tested, not the servers: one is enough.
@pytest.mark.parametrize("server", [EMBEDDED], indirect=True, ids=["embedded"])
@pytest.mark.parametrize("audience", Audience)
@pytest.mark.parametrize(
    "schema",
    [
        *(APP, OWNED, OWNED_AGED, AGED, LOOSE, USERS_FILTERED),
        *(SAME_AGED, SAME_OWNED, THROUGH, THROUGH_ALL),
    ],
    ids=lambda schema: schema.name,
)
async def test_nothing_that_goes_to_citus_has_a_shape_that_it_refuses(
    url: str, schema: AppSchema, audience: Audience
) -> None:
    async with open_schema(url, schema) as opened:
        catalogue = (await read_catalogue(opened.connection, schema.spec)).require()
    pools = replace(PoolsSpec(), audience=audience)
    assert refused(on_citus(catalogue), pools) == {}
    # The same eye sees what is wrong with the forms for PostgreSQL.
    assert catalogue.engine is Engine.POSTGRESQL
    assert {"undo_batch True", "batch_insert heal users False"} <= refused(catalogue, pools).keys()


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        (CORRELATED, "SELECT u.id FROM users u WHERE EXISTS (SELECT FROM seen i WHERE i.u = u.id)"),
        (
            CORRELATED,
            "SELECT u.id FROM users u WHERE NOT EXISTS (SELECT FROM seen i WHERE i.u = u.id)",
        ),
        (
            CORRELATED,
            "SELECT 1 FROM seen i WHERE i.n > (SELECT count(*) FROM seen o WHERE o.u = i.u)",
        ),
        (IN_TARGETS, "SELECT (SELECT count(*) FROM seen)"),
        (IN_TARGETS, "SELECT ARRAY(SELECT u FROM seen) FROM seen"),
        (LATERAL, "SELECT 1 FROM seen CROSS JOIN LATERAL (SELECT 1) AS x"),
        (LOCKS, "SELECT u FROM seen FOR UPDATE"),
        (CLOCK, "SELECT 1 FROM seen WHERE at < now()"),
        (CLOCK, "INSERT INTO seen (u, at) VALUES (1, CURRENT_TIMESTAMP)"),
        (USING, "DELETE FROM seen AS i USING list AS l WHERE i.u = l.u"),
        (NOT_IN, "SELECT 1 FROM seen WHERE u NOT IN (SELECT id FROM users)"),
        (APART, "SELECT 1 FROM seen JOIN users ON users.id = seen.u"),
        (APART, "SELECT 1 FROM (SELECT * FROM seen WHERE n) AS s JOIN users AS u ON u.id = s.u"),
        (APART, "SELECT 1 FROM (SELECT u FROM seen UNION SELECT 1) s JOIN users u ON u.id = s.u"),
        (APART, "WITH p AS (SELECT id FROM users) SELECT 1 FROM seen JOIN p ON p.id = seen.u"),
        (
            APART,
            "WITH p AS (SELECT id FROM users), q AS NOT MATERIALIZED (SELECT id FROM p)"
            " SELECT 1 FROM seen JOIN q ON q.id = seen.u",
        ),
        (
            SUBCOMMANDS,
            "ALTER TABLE seen DROP CONSTRAINT seen_pkey, ADD PRIMARY KEY (u, id)",
        ),
        (MIXED, "DELETE FROM list WHERE u IN (SELECT u FROM seen)"),
    ],
)
def test_each_shape_is_seen(kind: str, statement: str) -> None:
    assert kind in faults(statement, spread={"seen"}, others={"users"})


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT (SELECT count(*) FROM list), now() FROM list FOR UPDATE",
        "SELECT 1 FROM (SELECT u FROM seen LIMIT 0) s JOIN (SELECT id FROM users LIMIT 0) u"
        " ON u.id = s.u",
        "ALTER TABLE seen DROP CONSTRAINT seen_pkey",
        "ALTER TABLE seen ADD PRIMARY KEY (u, id)",
        "WITH l AS MATERIALIZED (SELECT u FROM list) SELECT 1 FROM seen JOIN l ON l.u = seen.u",
        "WITH g AS (SELECT u FROM list) DELETE FROM seen WHERE (u, a) IN (SELECT g.u, 1 FROM g)",
        "SELECT 1 FROM seen WHERE u = ANY (%(users)s::text[])",
    ],
)
def test_what_citus_takes_passes(statement: str) -> None:
    assert faults(statement, spread={"seen"}, others={"users"}) == set()
