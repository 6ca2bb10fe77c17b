"""`undo`: plan, ask, take back; and every way in which it doesn't."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import STATE, Workplace, gallery_at, on_one_server
from tests.support.healing import heal_at
from tests.support.waiting import wait_until_sync

pytestmark = on_one_server

NO_TRACE = "views since then leave no trace and undo removes them too"
VIEW_AGAIN = """
UPDATE user_art_impressions AS i SET viewed_at = now() AT TIME ZONE 'UTC'
FROM (SELECT user_id, artwork_id FROM conservator.backfilled_impression
    ORDER BY user_id, artwork_id LIMIT 7) AS b
WHERE i.user_id = b.user_id AND i.artwork_id = b.artwork_id
"""


async def healed_at(url: str, directory: Path, **sections: object) -> tuple[Workplace, str, int]:
    """A gallery after run 1: the impressions as they were before it, and the rows of the run."""
    work = await gallery_at(url, directory, **sections)
    before, rows = work.contents()["user_art_impressions"], work.impressions()
    await heal_at(url)
    return work, before, work.impressions() - rows


async def test_undo_takes_a_run_back_and_says_what_follows(
    app_database_url: str, tmp_path: Path
) -> None:
    work, before, written = await healed_at(app_database_url, tmp_path)
    contents, transaction = work.contents(), work.next_transaction()
    shown, program = work.run_each("undo 1 --dry-run", "undo 1 --dry-run --json")
    assert (shown.code, program.code) == (0, 0)
    assert f"Plan: take {written} of {written} impressions of run 1 back." in shown.words
    assert NO_TRACE in shown.words
    assert (program.json["would_undo"], program.json["touched"]) == (written, 0)
    assert program.json["refused"] is None
    assert (work.contents(), work.next_transaction()) == (contents, transaction)
    undone = work.run("undo", "1", "--yes")
    assert undone.code == 0, undone
    assert NO_TRACE in undone.words
    assert f"Took back {written} of {written} impressions of run 1" in undone.words
    assert "Automatic healing is suspended until `conservator resume`." in undone.words
    assert f"legacy_untracked: {written} now" in undone.words
    assert work.contents()["user_art_impressions"] == before
    again, listed, table, one = work.run_each(
        "undo 1 --yes --json", "runs --json", "runs", "runs 2 --json"
    )
    assert (again.code, again.json["run_id"]) == (0, None)
    runs = [(run["id"], run["kind"], run["undoes"], run["inserted"]) for run in listed.json["runs"]]
    assert runs == [(2, "undo", 1, written), (1, "heal", None, written)]
    assert "undo of 1" in table.words
    assert sum(batch["inserted"] for batch in one.json["batches"]) == written


async def test_what_was_viewed_again_stays_and_the_warning_goes(
    app_database_url: str, tmp_path: Path
) -> None:
    work, _, written = await healed_at(app_database_url, tmp_path)
    work.rows(VIEW_AGAIN)
    before = work.impressions()
    refused = work.run("undo", "1", stdin="n\n")
    assert refused.code != 0
    assert "Take" in refused.words
    assert "nothing was changed" in refused.err
    assert work.impressions() == before
    undone = work.run("undo", "1", stdin="y\n")
    assert undone.code == 0, undone
    assert "7 were viewed again since and stay, 0 are gone already" in undone.words
    assert NO_TRACE not in undone.words
    assert work.impressions() == before - written + 7
    assert work.value(f"SELECT count(*) FROM {STATE}.backfilled_impression") == 7
    nothing = work.run("undo", "1")
    assert nothing.code == 0
    assert "Nothing to take back of run 1: 7 impressions were viewed again" in nothing.words


async def test_what_can_not_be_undone_is_said_in_one_sentence(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    nowhere = work.run("undo", "1", "--yes")
    assert nowhere.code == 1
    assert "run `conservator init` first" in nowhere.sentence
    await heal_at(app_database_url)
    unknown, odd = work.run_each("undo 7 --yes", "undo x")
    assert (unknown.code, odd.code) == (1, 64)
    assert unknown.sentence == "There is no run 7; `conservator runs` lists them."
    assert work.run("pause", "--reason", "an incident").code == 0
    contents = work.contents()
    paused = work.run("undo", "1", "--yes")
    assert paused.code == 1
    assert paused.sentence == "Paused: an incident. `conservator resume` ends the pause."
    assert work.contents() == contents


async def test_without_the_right_to_delete_the_sentence_names_the_grant(
    app_database_url: str, tmp_path: Path
) -> None:
    work, before, written = await healed_at(app_database_url, tmp_path)
    role = "healer_without_delete"
    work.rows(f"DROP ROLE IF EXISTS {role}")
    work.rows(f"CREATE ROLE {role} LOGIN")
    try:
        work.rows(f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO {role}")
        work.rows(f"GRANT USAGE ON SCHEMA {STATE} TO {role}")
        work.rows(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {STATE} TO {role}")
        limited = Workplace(tmp_path, work.url.replace("postgres@", f"{role}@", 1))
        limited.configure(database={"url": limited.url})
        contents = work.contents()
        refused, planned = work.run_each("undo 1 --yes", "undo 1 --dry-run --json")
        assert refused.code == 1
        grant = f'GRANT DELETE ON "public"."user_art_impressions" TO "{role}";'
        assert refused.sentence == (
            f"Role {role} may not delete impressions, so nothing can be taken back: {grant}"
        )
        assert planned.json["refused"] == refused.sentence
        assert work.contents() == contents
        work.rows(grant)
        undone = work.run("undo", "1", "--yes", "--json")
        assert undone.code == 0, undone
        assert undone.json["run"]["inserted"] == written
        assert work.contents()["user_art_impressions"] == before
    finally:
        work.rows(f"DROP OWNED BY {role} CASCADE")
        work.rows(f"DROP ROLE {role}")


async def test_an_undo_that_was_killed_is_finished_by_the_same_command_and_not_by_heal(
    app_database_url: str, tmp_path: Path
) -> None:
    # Slow enough to be killed in the middle.
    slow = {"pace": {"max_batch": 20, "duty": "5%"}}
    work, before, written = await healed_at(app_database_url, tmp_path)
    work.configure(healing=slow, lease="1s")
    with work.started("undo", "1", "--yes") as undoing:
        undoing.until(lambda: undo_run(work, "batches >= 2"), 60)
        undoing.process.kill()
        undoing.process.wait()
    work.configure()
    wait_until_sync(lambda: undo_run(work, "lease_until <= now()"))
    healing = work.run("heal", "--yes")
    assert healing.code == 1
    assert "`conservator undo 1` goes on with it" in healing.sentence
    finished = work.run("undo", "1", "--yes")
    assert finished.code == 0, finished
    assert "Run 2 was left unfinished at" in finished.words
    assert undo_run(work, f"state = 'succeeded' AND token = 2 AND inserted = {written}")
    assert work.contents()["user_art_impressions"] == before


def undo_run(work: Workplace, condition: str) -> bool:
    """Whether run 2 is there and like this."""
    return bool(work.value(f"SELECT count(*) FROM {STATE}.run WHERE id = 2 AND {condition}"))


async def test_the_service_takes_back_when_asked_over_http(
    app_database_url: str, tmp_path: Path
) -> None:
    work, before, written = await healed_at(app_database_url, tmp_path)
    with work.started("serve") as service:
        client = service.client()
        looked = client.post("api/runs/1/undo", {"dry_run": True})
        assert (looked.status, looked.json) == (
            200,
            {"would_undo": written, "touched": 0, "gone": 0},
        )
        accepted = client.post("api/runs/1/undo")
        assert (accepted.status, accepted.json) == (202, {"run_id": 2})
        service.until(lambda: client.get("api/runs/2").json["run"]["state"] == "succeeded", 60)
        run = client.get("api/runs/2").json["run"]
        assert (run["kind"], run["undoes"], run["inserted"]) == ("undo", 1, written)
        service.until(
            lambda: client.metrics().get("conservator_heal_undone_impressions_total") == written,
            60,
        )
        assert client.metrics()["conservator_healing_suspended"] == 1
        assert work.contents()["user_art_impressions"] == before
        unknown, itself = (client.post(f"api/runs/{n}/undo") for n in (7, 2))
        assert (unknown.status, unknown.code) == (404, "unknown_run")
        assert (itself.status, itself.code) == (409, "not_undoable")
        assert client.post("api/healing/pause").status == 200
        paused = client.post("api/runs/1/undo")
        assert (paused.status, paused.code) == (409, "paused")
        service.stop()
