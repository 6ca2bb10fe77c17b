"""`heal`: plan, ask, heal, verify; and every way in which it doesn't."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

from tests.support.commands import STATE, Workplace, gallery_at, on_one_server

pytestmark = on_one_server


def ledger(work: Workplace) -> int:
    """Rows of the ledger that stand for an impression with the same moment."""
    return int(
        work.value(
            f"SELECT count(*) FROM {STATE}.backfilled_impression"
            " JOIN user_art_impressions USING (user_id, artwork_id, viewed_at)"
        )
    )


async def test_a_dry_run_shows_the_plan_and_writes_nothing_at_all(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    contents, transaction = work.contents(), work.next_transaction()
    shown, program, user = work.run_each(
        "heal --dry-run",
        "heal --dry-run --json",
        f"heal --dry-run --json --user {work.affected_user()}",
    )
    assert (shown.code, program.code, user.code) == (0, 0, 0)
    assert f"Plan: {program.json['rows']} impressions" in shown.words
    assert program.json["rows"] == program.json["census"]["legacy_untracked"] > 0
    assert program.json["growth_bytes"] > 0
    assert program.json["refused"] is None
    assert 0 < user.json["rows"] < program.json["rows"]
    assert work.next_transaction() == transaction
    assert work.contents() == contents
    assert work.value("SELECT to_regnamespace(%(state)s) IS NULL", state=STATE)


async def test_heal_leaves_nothing_and_says_before_and_after(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    others = {name: text for name, text in work.contents().items() if "impressions" not in name}
    before = work.impressions()
    healed = work.run("heal", "--yes")
    assert healed.code == 0, healed
    written = work.impressions() - before
    assert f"Run 1 succeeded: {written} impressions" in healed.words
    assert f"legacy_untracked: {written} → 0" in healed.words
    assert ledger(work) == written
    assert {name: work.contents()[name] for name in others} == others
    again, listed, one, shown = work.run_each(
        "heal --yes --json", "runs --json", "runs 1 --json", "runs 1"
    )
    assert (again.code, again.json["run"]) == (0, None)
    runs = [(run["id"], run["state"], run["inserted"]) for run in listed.json["runs"]]
    assert runs == [(1, "succeeded", written)]
    batches = sum(batch["inserted"] for batch in one.json["batches"])
    assert batches == one.json["run"]["inserted"] == written
    assert "succeeded" in shown.words


async def test_without_consent_nothing_is_changed(app_database_url: str, tmp_path: Path) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    contents = work.contents()
    for answer in ("n\n", ""):
        refused = work.run("heal", stdin=answer)
        assert refused.code != 0
        assert "Write" in refused.words
        assert "nothing was changed" in refused.err
    assert work.contents() == contents
    assert work.run("heal", stdin="y\n").code == 0


async def test_a_run_may_be_limited_and_the_next_one_does_the_rest(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    before = work.impressions()
    first = work.run("heal", "--yes", "--max-rows", "100", "--json")
    assert first.code == 0, first
    assert first.json["run"]["inserted"] == work.impressions() - before == 100
    left = first.json["census"]["legacy_untracked"]
    rest = work.run("heal", "--yes", "--json")
    assert rest.json["run"]["inserted"] == left > 0
    assert rest.json["census"]["legacy_untracked"] == 0


async def test_one_user_may_be_healed_alone(app_database_url: str, tmp_path: Path) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    user = work.affected_user()
    of_others = "SELECT count(*) FROM user_art_impressions WHERE user_id <> %(user)s"
    before, others = work.impressions(), work.value(of_others, user=user)
    healed = work.run("heal", "--user", user, "--yes")
    assert healed.code == 0, healed
    assert work.impressions() > before
    assert work.value(of_others, user=user) == others
    again, unknown = work.run_each(f"heal --user {user} --yes --json", "heal --user nobody --yes")
    assert (again.code, again.json["rows"]) == (0, 0)
    assert unknown.code == 1
    assert "'nobody'" in unknown.sentence


async def test_the_breaker_refuses_until_a_person_goes_beyond_it(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, healing={"breaker": {"max_share": "1%"}})
    contents = work.contents()
    refused, planned = work.run_each("heal --yes", "heal --dry-run --json")
    assert refused.code == 1
    assert "healing.breaker.max_share is 1.0%" in refused.sentence
    assert "`conservator heal --beyond-breaker`" in refused.sentence
    assert work.contents() == contents
    assert planned.code == 0
    assert planned.json["refused"] == refused.sentence
    beyond = work.run("heal", "--yes", "--beyond-breaker", "--json")
    assert beyond.code == 0, beyond
    assert beyond.json["census"]["legacy_untracked"] == 0


async def test_without_the_unique_index_healing_stops_with_what_mends_it(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    work.rows("DROP INDEX user_art_impressions_unique_user_artwork")
    contents = work.contents()
    refused = work.run("heal", "--yes")
    assert refused.code == 1
    assert "CREATE UNIQUE INDEX" in refused.err
    assert work.contents() == contents


async def test_a_look_before_lists_the_pairs_that_the_run_then_writes(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    contents, transaction = work.contents(), work.next_transaction()
    user = work.affected_user()
    shown, printed, of_user, program = work.run_each(
        "heal --dry-run --csv all.csv",
        "heal --dry-run --max-rows 7 --csv -",
        f"heal --dry-run --user {user} --csv one.csv",
        "heal --dry-run --json --csv again.csv",
    )
    assert [one.code for one in (shown, printed, of_user, program)] == [0, 0, 0, 0], printed
    assert work.contents() == contents
    assert work.next_transaction() == transaction
    pairs = read_pairs((tmp_path / "all.csv").read_text())
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "all.csv").read_text()
    assert read_pairs(printed.out) == pairs[:7]
    assert read_pairs((tmp_path / "one.csv").read_text()) == [
        pair for pair in pairs if pair[0] == user
    ]
    assert "The pairs are in all.csv." in shown.words
    most = program.json["most_affected"]
    assert 1 <= len(most) <= 5
    assert f"The most for: {most[0]['user_id']} ({most[0]['rows']:,})" in shown.words
    before = set(work.rows("SELECT user_id, artwork_id FROM user_art_impressions"))
    assert work.run("heal", "--yes").code == 0
    written = {*work.rows("SELECT user_id, artwork_id FROM user_art_impressions")} - before
    assert len(pairs) == len(written)
    assert {*pairs} == written


def read_pairs(text: str) -> list[tuple[str, str]]:
    """User and artwork of each line; the third is a moment."""
    header, *lines = csv.reader(text.splitlines())
    assert header == ["user_id", "artwork_id", "created_at"]
    assert all(datetime.fromisoformat(created).utcoffset() is not None for *_, created in lines)
    return [(user, artwork) for user, artwork, _ in lines]


async def test_a_list_takes_the_place_of_no_file_and_goes_with_a_dry_run_only(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    (tmp_path / "mine.csv").write_text("mine")
    there, wet, both = work.run_each(
        "heal --dry-run --csv mine.csv",
        "heal --yes --csv new.csv",
        "heal --dry-run --json --csv -",
    )
    assert (there.code, wet.code, both.code) == (1, 64, 64)
    assert "mine.csv is there already" in there.sentence
    assert "--dry-run" in wet.sentence
    assert (tmp_path / "mine.csv").read_text() == "mine"
    assert not (tmp_path / "new.csv").exists()
    assert work.value("SELECT to_regnamespace(%(state)s) IS NULL", state=STATE)


async def test_a_plan_that_uses_a_sequence_up_is_refused_beyond_the_breaker_too(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    work.rows("ALTER TABLE user_art_impressions ADD number serial")
    work.rows("SELECT setval('user_art_impressions_number_seq', 2147483647 - 3)")
    contents = work.contents()
    planned, asked, beyond, user = work.run_each(
        "heal --dry-run --json",
        "heal --yes",
        "heal --yes --beyond-breaker",
        f"heal --yes --user {work.affected_user()}",
    )
    assert (planned.code, asked.code, beyond.code, user.code) == (0, 1, 1, 1)
    assert planned.json["refused"] == asked.sentence == beyond.sentence
    assert "which has 3 left up to 2,147,483,647: more than half" in asked.sentence
    assert "which has 3 left" in user.sentence
    assert work.contents() == contents


async def test_the_plan_says_what_looks_deleted_on_purpose(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    assert work.run("init").code == 0
    user = work.affected_user()
    work.rows(
        "INSERT INTO conservator.tally_user (user_id, taken_at, impressions)"
        " SELECT id, now() - interval '2 hours', 30 FROM users"
    )
    work.rows(
        "INSERT INTO conservator.tally_user (user_id, taken_at, impressions)"
        " VALUES (%(user)s, now() - interval '1 hour', 0)",
        user=user,
    )
    shown, of_user, program = work.run_each(
        "heal --dry-run", f"heal --dry-run --user {user}", "heal --dry-run --json"
    )
    [warning] = program.json["warnings"]
    assert "30 of the 30 impressions of 1 users vanished at once" in warning
    for one in (shown, of_user):
        assert " ".join(warning.split()) in one.words
