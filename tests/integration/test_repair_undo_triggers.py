"""What an undo makes of triggers of the app: nothing is forgotten that was not given back."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.state.runs import RunState
from tests.support.app import app_on
from tests.support.healing import make_runtime
from tests.support.repairing import configured, mend, take_back

TABLE = """
CREATE TABLE {t} (id int PRIMARY KEY, v int, stamp text);
INSERT INTO {t} SELECT n, n FROM generate_series(1, 4) AS n;
"""
TRIGGER = """
CREATE FUNCTION {t}_act() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    IF session_user LIKE 'conservator%' AND pg_trigger_depth() = 1 THEN {body} END IF;
    RETURN coalesce(NEW, OLD); END $$;
CREATE {kind} TRIGGER act {when} ON {t} {deferred} FOR EACH ROW EXECUTE FUNCTION {t}_act();
"""
FINDS = {
    "update": "SELECT id, 9 AS v FROM {t} WHERE v < 9",
    "delete": "SELECT id FROM {t} WHERE v < 9",
    "insert": "SELECT n AS id, 5 AS v FROM generate_series(11, 14) AS n"
    " WHERE NOT EXISTS (SELECT FROM {t} AS o WHERE o.id = n)",
}


@dataclass(frozen=True)
class Case:
    """A trigger that there is by the time of the undo, and what the undo says of it."""

    action: str
    when: str
    body: str
    says: str = ""
    """Empty: it is none of an undo's business."""
    deferred: bool = False


CASES = {
    "reverts": Case(
        "update",
        "AFTER UPDATE",
        "UPDATE {t} SET v = OLD.v WHERE id = OLD.id;",
        "4 do not have the values that they had",
    ),
    "reverts_later": Case(
        "update",
        "AFTER UPDATE",
        "UPDATE {t} SET v = OLD.v WHERE id = OLD.id;",
        "4 do not have the values that they had",
        deferred=True,
    ),
    "keeps": Case(
        "update", "BEFORE UPDATE", "RETURN OLD;", "4 do not have the values that they had"
    ),
    "removes": Case(
        "update", "AFTER UPDATE", "DELETE FROM {t} WHERE id = OLD.id;", "4 are not there"
    ),
    "hides": Case(
        "insert",
        "BEFORE DELETE",
        "UPDATE {t} SET stamp = 'hidden' WHERE id = OLD.id; RETURN NULL;",
        "4 were written by a trigger",
    ),
    "restores": Case(
        "insert",
        "AFTER DELETE",
        "INSERT INTO {t} VALUES (OLD.*);",
        "4 were written by a trigger",
        deferred=True,
    ),
    "rejects": Case(
        "delete", "AFTER INSERT", "DELETE FROM {t} WHERE id = NEW.id;", "4 are not there"
    ),
    "moves": Case("delete", "BEFORE INSERT", "NEW.id := NEW.id + 100;", "4 have another key"),
    "stamps": Case("update", "BEFORE UPDATE", "NEW.stamp := 'now';"),
    "stamps_later": Case(
        "update", "AFTER UPDATE", "UPDATE {t} SET stamp = 'now' WHERE id = OLD.id;", deferred=True
    ),
}


def made(name: str, case: Case) -> str:
    deferred = "DEFERRABLE INITIALLY DEFERRED" if case.deferred else ""
    kind = "CONSTRAINT" if case.deferred else ""
    body = case.body.format(t=name)
    return TRIGGER.format(t=name, body=body, when=case.when, kind=kind, deferred=deferred)


async def test_an_undo_forgets_nothing_that_triggers_keep_from_being_given_back(
    app_database_url: str,
) -> None:
    repairs = [
        configured(name, table=name, find=FINDS[case.action].format(t=name), action=case.action)
        for name, case in CASES.items()
    ]
    listed = "SELECT count(*) FROM conservator.repaired_row WHERE repair = %(name)s"
    async with app_on(app_database_url) as app:
        await app.run("".join(TABLE.format(t=name) for name in CASES))
        async with make_runtime(app_database_url, repairs=repairs) as runtime:
            for name, case in CASES.items():
                first = await app.rows(f"SELECT id, v FROM {name} ORDER BY id")
                run = (await mend(runtime, name)).run
                mended = await app.fingerprint(name)
                await app.run(made(name, case))
                undone = await take_back(runtime, run.id)
                assert undone is not None
                said = (name, undone.run.outcome)
                if case.says:
                    assert (undone.run.state, undone.run.inserted) == (RunState.FAILED, 0), said
                    assert case.says in undone.run.outcome and "(act)" in undone.run.outcome, said
                    assert await app.fingerprint(name) == mended
                    assert await app.value(listed, name=name) == 4
                    await app.run(f"DROP TRIGGER act ON {name}")
                    undone = await take_back(runtime, run.id)
                    assert undone is not None
                assert (undone.run.state, undone.run.inserted) == (RunState.SUCCEEDED, 4), said
                assert await app.rows(f"SELECT id, v FROM {name} ORDER BY id") == first
                assert await app.value(listed, name=name) == 0


async def test_a_trigger_that_drops_what_is_given_back_leaves_it_listed(
    app_database_url: str,
) -> None:
    names = {"update": "BEFORE UPDATE", "delete": "BEFORE INSERT", "insert": "BEFORE DELETE"}
    repairs = [
        configured(f"t_{one}", table=f"t_{one}", find=FINDS[one].format(t=f"t_{one}"), action=one)
        for one in names
    ]
    async with app_on(app_database_url) as app:
        await app.run("".join(TABLE.format(t=f"t_{one}") for one in names))
        async with make_runtime(app_database_url, repairs=repairs) as runtime:
            for one, when in names.items():
                run = (await mend(runtime, f"t_{one}")).run
                await app.run(made(f"t_{one}", Case(one, when, "RETURN NULL;")))
                undone = await take_back(runtime, run.id)
                assert undone is not None
                assert (undone.run.state, undone.run.inserted) == (RunState.PARTIAL, 0)
                assert (undone.run.remaining, "could not be given" in undone.run.outcome) == (
                    4,
                    True,
                )
            assert await app.value("SELECT count(*) FROM conservator.repaired_row") == 12


async def test_what_a_trigger_makes_of_a_deleted_row_is_told_and_what_it_was_is_kept(
    app_database_url: str,
) -> None:
    """The moment of its making, say, which nothing but the ledger knows any more."""
    body = "IF NEW.id < 4 THEN NEW.stamp := 'now'; END IF; "
    find = "SELECT id FROM made WHERE v < 9"
    repair = configured("made", table="made", find=find, action="delete")
    pace = {"pace": {"max_batch": 2}}
    async with app_on(app_database_url) as app:
        await app.run(TABLE.format(t="made") + "UPDATE made SET stamp = 'then'")
        async with make_runtime(app_database_url, repairs=[repair], healing=pace) as runtime:
            run = (await mend(runtime, "made")).run
            await app.run(made("made", Case("delete", "BEFORE INSERT", body)))
            await app.run("INSERT INTO made VALUES (1, 2, 'of the app')")
            undone = await take_back(runtime, run.id)
            assert undone is not None
            assert (undone.run.state, undone.run.inserted) == (RunState.PARTIAL, 3)
            assert "Triggers on made have given 2 of them other values" in undone.run.outcome
            assert "Of 1 the key is taken" in undone.run.outcome
            kept = "SELECT before ->> 'stamp' FROM conservator.repaired_row ORDER BY position"
            assert await app.rows(kept) == [("then",)] * 3
            assert await take_back(runtime, run.id) is None
            stamps = [stamp for (stamp,) in await app.rows("SELECT stamp FROM made ORDER BY id")]
            assert stamps == ["of the app", "now", "now", "then"]
