"""What was written is what is there: triggers that make something else of it are noticed."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from checks.doctor.findings import Blocks
from monitor.runtime import inspect_catalogue
from monitor.state.runs import Run, RunState, Trigger
from tests.support.app import App, app_on
from tests.support.healing import heal, make_runtime, paced, planted, working
from tests.support.ledger_audit import assert_ledger_is_there, assert_records_agree
from tests.support.undoing import undo

pytestmark = pytest.mark.prepared

BOOKS = ("user_art_impressions", "conservator.backfilled_impression", "users", "art_sessions")


@dataclass(frozen=True)
class Meddling:
    """A trigger that makes something else of what is inserted; how the sentence counts it."""

    name: str
    body: str
    when: str
    says: str
    """Of a batch of ten."""
    more: str = ""


_SPARED = "IF current_setting('application_name') <> 'conservator' THEN RETURN NEW; END IF;"
MEDDLING = (
    Meddling("drops each row", f"{_SPARED} RETURN NULL;", "BEFORE INSERT", "10 are not there"),
    Meddling(
        "drops some rows",
        f"{_SPARED} RETURN CASE WHEN NEW.artwork_id <> 'old0003' THEN NEW END;",
        "BEFORE INSERT",
        "2 are not there",
    ),
    Meddling(
        "writes for somebody else",
        f"{_SPARED} NEW.user_id := 'u0001'; RETURN NEW;",
        "BEFORE INSERT",
        "5 are not there",
    ),
    Meddling(
        "writes the row itself",
        "IF pg_trigger_depth() > 1 THEN RETURN NEW; END IF;"
        " INSERT INTO user_art_impressions (user_id, artwork_id)"
        " VALUES (NEW.user_id, NEW.artwork_id); RETURN NULL;",
        "BEFORE INSERT",
        "10 were written by a trigger",
    ),
    Meddling(
        "moves the moment afterwards",
        "UPDATE user_art_impressions SET viewed_at = viewed_at + interval '1 second'"
        " WHERE id = NEW.id; RETURN NULL;",
        "AFTER INSERT",
        "10 have another time",
    ),
    Meddling(
        "deletes afterwards, by way of another table",
        "DELETE FROM doubtful WHERE artwork_id = NEW.artwork_id; RETURN NULL;",
        "AFTER INSERT",
        "2 are not there",
        "CREATE TABLE doubtful (artwork_id varchar); INSERT INTO doubtful VALUES ('old0002');"
        " CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
        " DELETE FROM user_art_impressions WHERE artwork_id = OLD.artwork_id;"
        " INSERT INTO doubtful VALUES (OLD.artwork_id); RETURN NULL; END $$;"
        " CREATE TRIGGER forget AFTER DELETE ON doubtful FOR EACH ROW EXECUTE FUNCTION forget();",
    ),
    Meddling(
        "moves the moment at the commit",
        "UPDATE user_art_impressions SET viewed_at = '2020-01-01' WHERE id = NEW.id; RETURN NULL;",
        "DEFERRED",
        "10 have another time",
    ),
)


async def meddle(app: App, one: Meddling) -> None:
    """Make the trigger."""
    timing = (
        "CONSTRAINT TRIGGER meddle AFTER INSERT"
        if one.when == "DEFERRED"
        else (f"TRIGGER meddle {one.when}")
    )
    deferred = "DEFERRABLE INITIALLY DEFERRED" if one.when == "DEFERRED" else ""
    await app.run(
        f"{one.more} CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        f" AS $$ BEGIN {one.body} END $$;"
        f" CREATE {timing} ON user_art_impressions {deferred}"
        " FOR EACH ROW EXECUTE FUNCTION meddle()"
    )


@pytest.mark.parametrize("one", MEDDLING, ids=lambda one: one.name)
async def test_a_batch_of_which_triggers_make_something_else_is_taken_back(
    app_database_url: str, one: Meddling
) -> None:
    async with planted(app_database_url, users=3, artworks=5, **paced(10)) as (app, runtime):
        await meddle(app, one)
        before = await app.fingerprint(*BOOKS)
        ended = await heal(runtime)
        assert ended.run.state is RunState.FAILED
        assert (ended.run.inserted, ended.run.batches) == (0, 0)
        assert "(meddle): of 10 impressions" in ended.run.outcome
        assert one.says in ended.run.outcome
        assert await app.fingerprint(*BOOKS) == before
        # One user alone, and a pair alone, are no way around it.
        planned = await runtime.planner.plan_user(
            runtime.run_owner(Trigger.API), "u0002", reason="a test", force=False
        )
        assert isinstance(planned, Run)
        alone = await working(runtime, planned)
        assert alone.run.state is RunState.FAILED
        assert await app.fingerprint(*BOOKS) == before


async def test_a_single_pair_is_read_back_too(app_database_url: str) -> None:
    async with planted(app_database_url, users=2, artworks=2, **paced(1)) as (app, runtime):
        await meddle(app, MEDDLING[0])
        ended = await heal(runtime)
        assert ended.run.state is RunState.FAILED
        assert "of 1 impressions 1 are not there" in ended.run.outcome


async def test_a_trigger_that_comes_while_a_run_works_is_noticed_by_the_next_batch(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=4, artworks=5, **paced(5)) as (app, runtime):
        # It lets the first user's pairs pass.
        body = f"{_SPARED} RETURN CASE WHEN NEW.user_id = 'u0001' THEN NEW END;"
        await meddle(app, Meddling("later", body, "BEFORE INSERT", ""))
        ended = await heal(runtime)
        assert ended.run.state is RunState.FAILED
        assert "of 5 impressions 5 are not there" in ended.run.outcome
        assert ended.run.inserted == 5
        await assert_records_agree(app)
        await assert_ledger_is_there(app)


_PARTITIONED = """
ALTER TABLE user_art_impressions RENAME TO whole;
CREATE TABLE user_art_impressions (
    user_id varchar NOT NULL, artwork_id varchar NOT NULL,
    viewed_at timestamp NOT NULL DEFAULT now(), UNIQUE (user_id, artwork_id)
) PARTITION BY LIST (user_id);
CREATE TABLE first_part PARTITION OF user_art_impressions FOR VALUES IN ('u0001');
CREATE TABLE other_part PARTITION OF user_art_impressions DEFAULT;
CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER lose BEFORE INSERT ON other_part FOR EACH ROW
    WHEN (NEW.artwork_id LIKE 'old%') EXECUTE FUNCTION lose();
"""


async def test_the_triggers_of_a_partition_are_seen(app_database_url: str) -> None:
    async with app_on(app_database_url) as app:
        await app.run(_PARTITIONED)
        async with make_runtime(app_database_url) as runtime:
            await app.plant(users=2, artworks=3)
            ended = await heal(runtime)
    assert ended.run.state is RunState.FAILED
    assert "(lose): of 6 impressions 3 are not there" in ended.run.outcome


_HARMLESS = """
CREATE TABLE views (artwork_id varchar PRIMARY KEY, number bigint);
CREATE FUNCTION round_off() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.viewed_at := date_trunc('minute', NEW.viewed_at); NEW.version := 7; RETURN NEW; END $$;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO views SELECT NEW.artwork_id, 1
    ON CONFLICT (artwork_id) DO UPDATE SET number = views.number + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER round_off BEFORE INSERT ON user_art_impressions
    FOR EACH ROW EXECUTE FUNCTION round_off();
CREATE TRIGGER tell AFTER INSERT ON user_art_impressions FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER meddle AFTER INSERT ON user_art_impressions
    FOR EACH ROW EXECUTE FUNCTION round_off();
ALTER TABLE user_art_impressions DISABLE TRIGGER meddle;
"""


async def test_triggers_that_leave_alone_what_the_ledger_lists_stop_nothing(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=3, artworks=5, **paced(7)) as (app, runtime):
        await app.run(_HARMLESS)
        before = await app.fingerprint("user_art_impressions")
        ended = await heal(runtime)
        assert ended.run.state is RunState.SUCCEEDED, ended.run.outcome
        assert await app.value("SELECT sum(number) FROM views") == 15
        await assert_ledger_is_there(app)
        # What the trigger made of the moment is what the ledger has.
        assert await app.value(
            "SELECT bool_and(viewed_at = date_trunc('minute', viewed_at))"
            " FROM conservator.backfilled_impression"
        )
        assert (await undo(runtime, ended.run.id)).run.inserted == 15
        assert await app.fingerprint("user_art_impressions") == before


async def test_doctor_says_what_triggers_may_do_without_running_them(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=1, artworks=1) as (app, runtime):
        await app.run(_HARMLESS)
        examination = await inspect_catalogue(runtime.engine, runtime.settings)
        [finding] = [one for one in examination.findings if one.code == "insert_triggers"]
        assert finding.problem == "Triggers fire on INSERT: round_off, tell."
        assert (
            "round_off may change or drop a row; tell may change or delete it later."
            in finding.consequence
        )
        assert finding.blocks is Blocks.NOTHING
        assert await app.value("SELECT count(*) FROM views") == 0
