"""`explain` and `sql`: what the service thinks of a pair, and what it would run."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg

from tests.support.commands import Workplace, gallery_at, on_one_server
from tests.support.healing import prepare_state

pytestmark = on_one_server

PAIR = """
SELECT u.id, a.id FROM users AS u CROSS JOIN art_sessions AS a
LEFT JOIN user_art_impressions AS i ON i.user_id = u.id AND i.artwork_id = a.id
WHERE EXISTS (SELECT FROM user_art_impressions AS any_one WHERE any_one.user_id = u.id) AND {}
ORDER BY u.id, a.id LIMIT 1
"""
AGE = "i.id IS NULL AND now() AT TIME ZONE 'UTC' - a.created_at "
STATES = {
    "tracked": ("i.id IS NOT NULL", "impression(s), the last viewed at"),
    "fresh": (f"{AGE} < interval '14 minutes'", "younger than fresh_for"),
    "storage": (f"{AGE} BETWEEN '20 minutes' AND '6 days'", "younger than legacy_after"),
    "legacy_untracked": (f"{AGE} > interval '8 days'", "at least legacy_after"),
}


BEFORE_THE_CALENDAR = {
    "-infinity": "-infinity",
    "0044-03-15 BC": "0044-03-15T00:00:00 BC",
    "4713-02-01 BC": "4713-02-01T00:00:00 BC",
}


async def test_explain_says_which_state_a_pair_is_in_and_why(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    pairs = [work.rows(PAIR.format(condition))[0] for condition, _ in STATES.values()]
    user, artwork = pairs[0][0], "no-such-painting"
    *told, program = work.run_each(
        *("explain --user {} --artwork {}".format(*pair) for pair in pairs),
        f"explain --user {user} --artwork {artwork} --json",
    )
    for one, (state, (_, reason)) in zip(told, STATES.items(), strict=True):
        assert one.code == 0, one
        assert one.words.startswith(f"{state} ")
        assert reason in one.words
    assert program.json["state"] == "no_pair"
    assert program.json["because"] == ["no artwork has this id"]
    assert (program.json["user"], program.json["artwork"]) == (user, artwork)


async def test_moments_before_the_calendar_have_one_name_everywhere(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    user, artwork = work.rows(PAIR.format(STATES["legacy_untracked"][0]))[0]
    explain = f"explain --user {user} --artwork {artwork}"
    for number, (moment, name) in enumerate(BEFORE_THE_CALENDAR.items()):
        work.rows(
            "UPDATE art_sessions SET created_at = %(at)s::timestamp WHERE id = %(id)s",
            at=moment,
            id=artwork,
        )
        file = f"pairs{number}.csv"
        explained, planned = work.run_each(explain, f"heal --dry-run --csv {file}")
        day = name.replace("T00:00:00", "")
        assert f"created {name.replace(':00 BC', ':00.000000+00:00 BC')}," in explained.words
        assert f"the oldest created {day};" in planned.words, planned
        assert f"{user},{artwork},{name.replace(' BC', 'Z BC')}\n" in (tmp_path / file).read_text()


async def test_every_printed_statement_runs_as_it_stands(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    await prepare_state(app_database_url)
    contents = work.contents()
    printed, program = work.run_each("sql", "sql --json")
    named = program.json
    assert {"census", "user_census", "explain_pair", "batch_insert", "verify_plan"} <= set(named)
    with psycopg.connect(work.conninfo) as connection:
        for statement in named.values():
            connection.execute(f"EXPLAIN {statement}".encode())
        connection.execute(printed.out.encode())
    assert work.contents() == contents
    assert [name for name in named if f"-- {name}\n" not in printed.out] == []


async def test_the_printed_census_counts_what_check_counts(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path)
    checked, printed, unknown = work.run_each("check census --json", "sql census", "sql censos")
    assert printed.code == 0
    counted = checked.json["census"]
    row = named_row(work, printed.out.strip().rstrip(";"))
    states = ("tracked", "fresh", "storage", "legacy_untracked")
    assert {state: row[state] for state in states} == {state: counted[state] for state in states}
    assert unknown.code == 64
    assert "expected one of: census," in unknown.sentence


def named_row(work: Workplace, statement: str) -> dict[str, object]:
    """The only row of a statement, by its columns' names."""
    text = work.value(f"SELECT row_to_json(counted)::text FROM ({statement}\n) AS counted")
    row: dict[str, object] = json.loads(text)
    return row


async def test_a_catalogue_that_names_other_tables_is_told_what_is_missing(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(
        app_database_url, tmp_path, catalog={"artworks": {"table": "paintings"}}
    )
    commands = work.run_each("check", "doctor", "sql", "heal")
    assert [told.code for told in commands] == [3, 1, 1, 1]
    for told in commands:
        assert "paintings" in told.words + told.err
