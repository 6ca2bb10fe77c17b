"""`repair`: list, plan, ask, mend, undo; and what it says where it does not."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.commands import Workplace, gallery_at, on_one_server

pytestmark = on_one_server

ORPHANS = {
    "name": "orphans",
    "check": "orphan_notes",
    "table": "notes",
    "find": "SELECT n.id FROM notes n LEFT JOIN users u ON u.id = n.user_id WHERE u.id IS NULL",
    "action": "delete",
    "breaker": {"max_rows": 30, "max_share": "90%"},
}
FLAGS = {
    "name": "flags",
    "check": "structure",
    "table": "notes",
    "find": "SELECT id, 'seen' AS text FROM notes WHERE id < 4",
    "action": "update",
    "breaker": {"max_share": "100%"},
}
CHECK = {
    "name": "orphan_notes",
    "query": "SELECT count(*) FROM notes n LEFT JOIN users u ON u.id = n.user_id"
    " WHERE u.id IS NULL",
    "fail": "> 0",
}
NOTES = """
CREATE TABLE notes (id int PRIMARY KEY, user_id text, text text);
INSERT INTO notes SELECT n, CASE WHEN n > 10 THEN 'nobody' || n ELSE
    (SELECT id FROM users ORDER BY id LIMIT 1) END, 'private ' || n
FROM generate_series(1, 35) AS n;
"""


ASLEEP = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event = 'PgSleep'
"""


async def notes_at(url: str, directory: Path) -> Workplace:
    work = await gallery_at(url, directory)
    for statement in NOTES.split(";\n"):
        if statement.strip():
            work.rows(statement)
    return work.configure(repairs=[ORPHANS, FLAGS], checks={"sql": [CHECK]})


async def test_a_repair_is_listed_planned_done_and_taken_back(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await notes_at(app_database_url, tmp_path)
    contents, transaction = work.contents(), work.next_transaction()
    listed, shown, program, grants = work.run_each(
        "repair", "repair orphans --dry-run", "repair orphans --dry-run --json", "init --print-sql"
    )
    assert listed.code == 0, listed
    assert "orphans orphan_notes delete notes observe 25" in listed.words
    assert "Plan: delete 25 of 25 rows that find of orphans names, 71.43% of notes" in shown.words
    assert "each batch asks it again" in shown.words
    assert "id=11" in shown.words and "text=private 11, user_id=nobody11 → –" in shown.words
    assert "… and 5 more." in shown.words
    assert (program.json["would_mend"], program.json["refused"]) == (25, None)
    assert program.json["shown"][0]["before"]["text"] == "private 11"
    assert "-- The repair orphans, and its undo:" in grants.out
    assert 'GRANT SELECT, DELETE, INSERT ON "public"."notes" TO "conservator_healer";' in grants.out
    assert (work.contents(), work.next_transaction()) == (contents, transaction)
    doctor, sql = work.run_each("doctor --json", "sql --json")
    assert (doctor.code, doctor.json["repairs"]) == (0, [])
    statements = {name: text for name, text in sql.json.items() if name.startswith("orphans.")}
    assert [*statements] == [
        f"orphans.{one}" for one in ("plan", "delete", "delete_frozen", "verify", "undo")
    ]
    assert all(ORPHANS["find"] in statements[f"orphans.{one}"] for one in ("plan", "delete"))
    done = work.run("repair", "orphans", "--yes")
    assert done.code == 0, done
    for text in statements.values():
        work.rows(text)
    assert "succeeded: 25 rows in 1 batch," in done.words
    assert "Mended 25 of 25 rows." in done.words
    assert "Check orphan_notes: pass" in done.words
    assert work.value("SELECT count(*) FROM notes") == 10
    again, runs, one = work.run_each("repair orphans --yes --json", "runs", "runs 1 --json")
    assert (again.code, again.json["run_id"], "checks" in again.json) == (0, None, False)
    assert "repair (orphans)" in runs.words
    assert (one.json["run"]["kind"], one.json["run"]["repair"]) == ("repair", "orphans")
    assert "private" not in one.out
    plan = work.run("undo", "1", "--dry-run")
    assert "Plan: give back 25 of 25 rows of run 1." in plan.words
    undone = work.run("undo", "1", "--yes", "--json")
    assert (undone.code, undone.json["run"]["kind"], "checks" in undone.json) == (0, "undo", False)
    again = work.run("repair", "orphans", "--yes", "--json")
    undone = work.run("undo", "3", "--yes")
    (checked,) = again.json["checks"]
    assert (again.json["run_id"], checked["name"]) == (3, "orphan_notes")
    assert (checked["outcome"], checked["value"]) == ("pass", 0)
    assert undone.code == 0, undone
    assert "Gave back 25 of 25 rows of run 3." in undone.words
    assert "suspended until `conservator resume orphans`" in undone.words
    assert work.contents()["notes"] == contents["notes"]
    (suspended,) = work.run("repair", "--json").json["repairs"][:1]
    assert (suspended["suspended"], suspended["would_mend"]) == (True, 25)
    assert "no longer suspended" in work.run("resume", "orphans").words
    assert "nothing was changed" in work.run("resume", "orphans").words


async def test_what_a_run_has_done_is_said_whatever_becomes_of_its_check(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await notes_at(app_database_url, tmp_path)
    slow = {**CHECK, "query": "SELECT count(*) FROM notes, pg_sleep(100)"}
    work.configure(repairs=[ORPHANS], checks={"sql": [slow]})
    with work.started("repair", "orphans", "--yes", "--json") as command:
        command.until(lambda: work.value(ASLEEP) > 0)
        done = command.stop(signal.SIGINT)
    assert done.code == 128 + signal.SIGINT
    assert (done.json["run"]["state"], done.json["run"]["inserted"]) == ("succeeded", 25)
    assert "checks" not in done.json


async def test_the_list_and_the_runs_say_what_stops_a_repair(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await notes_at(app_database_url, tmp_path)
    (fresh,) = work.run_each("repair")
    assert "orphans orphan_notes delete notes observe 25 – No service has decided" in fresh.words
    unnamed = work.run_each("repair --yes", "repair --max-rows 3", "repair --beyond-breaker")
    assert [one.code for one in unnamed] == [64, 64, 64]
    assert all("which repair? Without its name, all are listed" in one.err for one in unnamed)
    tight = {**ORPHANS, "breaker": {"max_rows": 24, "max_share": "90%"}}
    work.configure(repairs=[tight, FLAGS], checks={"sql": [CHECK]})
    before = work.run("repair")
    assert "names 25 rows, and breaker.max_rows is 24" in before.words
    assert work.run("repair", "orphans", "--yes").code == 1
    assert work.run("repair", "orphans", "--yes", "--beyond-breaker").code == 0
    assert work.run("undo", "1", "--yes").code == 0
    work.rows(
        "INSERT INTO conservator.repair_status (repair, decided_at, kind, code, reason)"
        " VALUES ('flags', '2026-11-01 10:00Z', 'clear', 'clean', 'Its check is fine.')"
    )
    work.rows(
        "UPDATE conservator.repair_control SET breaker_open = TRUE, breaker_code = 'max_rows',"
        " breaker_reason = 'max_rows is 24.', breaker_at = now() WHERE repair = 'orphans'"
    )
    assert work.run("pause", "--reason", "lunch").code == 0
    listed, program, runs, plan = work.run_each(
        "repair", "repair --json", "runs", "repair orphans --dry-run"
    )
    assert listed.words.startswith("Paused: lunch.")
    assert "The breaker of orphans is open since" in listed.words
    assert "Its check is fine. Decided 2026-11-01 10:00:00Z." in listed.words
    orphans, flags = program.json["repairs"]
    assert (orphans["breaker_open"], orphans["suspended"], orphans["decision"]) == (
        True,
        True,
        None,
    )
    assert "max_rows is 24" in orphans["refused"]
    assert (flags["decision"]["code"], flags["refused"]) == ("clean", None)
    for sentence in ("Paused: lunch.", "The breaker of orphans is", "Repair orphans is suspended:"):
        assert sentence in runs.words
    assert "Paused: lunch." in plan.words


async def test_an_undo_that_was_put_down_and_can_not_go_on_is_ended(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await notes_at(app_database_url, tmp_path)
    assert work.run("repair", "orphans", "--yes").code == 0
    assert work.run("undo", "1", "--yes").code == 0
    work.rows("UPDATE conservator.run SET state = 'held', position = 4 WHERE id = 2")
    work.rows("ALTER TABLE notes RENAME TO notes_then")
    work.rows("CREATE TABLE notes (LIKE notes_then INCLUDING ALL)")
    looked = work.run("undo", "1", "--dry-run")
    assert looked.code == 1 and "notes_then now" in looked.sentence
    assert work.value("SELECT state FROM conservator.run WHERE id = 2") == "held"
    refused = work.run("undo", "1", "--yes")
    assert refused.code == 1
    assert "Run 2, which had begun to, is ended; the rest is still listed." in refused.err
    assert work.value("SELECT state FROM conservator.run WHERE id = 2") == "failed"
    assert "notes_then now" in work.value("SELECT outcome FROM conservator.run WHERE id = 2")
    # Nothing waits for it any more.
    assert work.run("repair", "orphans", "--yes").code == 0


async def test_a_repair_says_why_it_does_not(app_database_url: str, tmp_path: Path) -> None:
    work = await notes_at(app_database_url, tmp_path)
    unknown = work.run("repair", "nothing")
    assert unknown.code == 64
    assert "no repair is called nothing; expected orphans, flags" in unknown.sentence
    asked = work.run("repair", "flags", stdin="n\n")
    assert asked.code == 130
    assert work.run("repair", "flags", "--yes", "--max-rows", "2").code == 1
    assert work.value("SELECT count(*) FROM notes WHERE text = 'seen'") == 2
    # Left unfinished, and the table has other columns by now: that run ends, a new one begins.
    work.rows("UPDATE conservator.run SET state = 'held' WHERE id = 1")
    work.rows("ALTER TABLE notes ADD COLUMN more int")
    assert work.run("repair", "flags", "--yes").code == 1
    assert work.rows("SELECT state FROM conservator.run WHERE undoes IS NULL ORDER BY id") == [
        ("failed",),
        ("partial",),
    ]
    assert "had other columns" in work.value("SELECT outcome FROM conservator.run WHERE id = 1")
    tight = {**ORPHANS, "breaker": {"max_rows": 24, "max_share": "90%"}}
    work.configure(repairs=[tight], checks={"sql": [CHECK]})
    refused = work.run("repair", "orphans", "--yes")
    assert refused.code == 1
    assert "breaker.max_rows is 24" in refused.sentence
    assert work.run("repair", "orphans", "--yes", "--beyond-breaker").code == 0
    work.configure(repairs=[{**ORPHANS, "mode": "mend"}], checks={"sql": [CHECK]})
    early = work.run("config", "check")
    assert early.code == 78
    assert "repairs[0].mode" in early.err
    work.configure(repairs=[{**ORPHANS, "find": "SELECT 1 AS other"}], checks={"sql": [CHECK]})
    wrong, listed, doctor, serve = (
        work.run("repair", "orphans"),
        work.run("repair"),
        work.run("doctor"),
        work.run("serve"),
    )
    assert doctor.code == 1 and "repairs[0].find: It does not return" in doctor.words
    assert wrong.code == 1 and "does not return the key column id" in wrong.err
    assert listed.code == 1 and "does not return the key column id" in listed.words
    assert serve.code == 78 and "repairs[0].find: It does not return" in serve.err


async def test_no_more_is_done_than_was_shown(app_database_url: str, tmp_path: Path) -> None:
    work = await notes_at(app_database_url, tmp_path)
    work.rows("UPDATE notes SET user_id = (SELECT min(id) FROM users) WHERE id > 11")
    growing = {**ORPHANS, "breaker": {"max_share": "100%"}}
    work.configure(repairs=[growing], checks={"sql": [CHECK]})
    # Between the plan and the answer: what the person sees is one row.
    work.rows(
        "CREATE FUNCTION more() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE notes SET user_id = 'nobody' WHERE id > 20; END $$"
    )
    work.rows("CREATE EVENT TRIGGER more ON ddl_command_end EXECUTE FUNCTION more()")
    done = work.run("repair", "orphans", "--yes")
    assert "Plan: delete 1 of 1 row that find" in done.words
    assert "Mended 1 of 1 rows." in done.words
    assert work.value("SELECT count(*) FROM notes") == 34


async def test_a_run_that_was_put_down_is_shown_and_goes_on(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await notes_at(app_database_url, tmp_path)
    assert work.run("repair", "orphans", "--yes", "--max-rows", "9").code == 0
    work.rows("UPDATE notes SET user_id = 'nobody again' WHERE id < 4")
    work.rows("UPDATE conservator.run SET state = 'held', position = 4, inserted = 4")
    listed, shown, program = work.run_each(
        "repair", "repair orphans --dry-run", "repair orphans --dry-run --json"
    )
    assert "Run 1 of repair orphans was put down at 4 of 9 rows" in listed.words
    assert "Run 1 was put down at 4 of 9 rows, of which it mended 4" in shown.words
    assert "Plan:" not in shown.words
    assert (program.json["would_mend"], program.json["goes_on_with"]) == (5, 1)
    done = work.run("repair", "orphans")
    assert "goes on from there" in done.words and "Check orphan_notes: fail" in done.words
    assert work.rows("SELECT id, state FROM conservator.run") == [(1, "succeeded")]
    # It can't go on: nothing is planned that nobody has seen.
    work.rows("UPDATE conservator.run SET state = 'held'")
    work.rows("ALTER TABLE notes ADD COLUMN more int")
    refused = work.run("repair", "orphans")
    assert refused.code == 1 and "Run 1 can't go on" in refused.err
    assert work.rows("SELECT id, state FROM conservator.run") == [(1, "failed")]
