"""What an undo takes back, and that it changes nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.healing.batch_size import BatchTiming, Pace, PaceSettings, after_batch
from monitor.state.runs import RunState
from tests.support.app import App, app_on
from tests.support.generated import examples
from tests.support.healing import heal, make_runtime, paced, planted
from tests.support.undoing import (
    UPSERT,
    assert_undo_is_booked,
    heal_what_is_missing,
    listed,
    previewed,
    undo,
)

pytestmark = pytest.mark.prepared

TABLES = ("users", "art_sessions", "user_art_impressions")
HEALED = "user_id = %(user)s AND artwork_id = %(artwork)s"
DONE_SINCE = {
    "nothing": "SELECT %(user)s, %(artwork)s",
    "viewed again": UPSERT,
    "viewed again by an app that leaves no trace": f"UPDATE user_art_impressions"
    f" SET version = coalesce(version, 0) + 1 WHERE {HEALED}",
    "deleted": f"DELETE FROM user_art_impressions WHERE {HEALED}",
    "deleted and viewed again": f"WITH gone AS (DELETE FROM user_art_impressions WHERE {HEALED})"
    " SELECT 1",
    "moved to never": f"UPDATE user_art_impressions SET viewed_at = 'infinity' WHERE {HEALED}",
    "artwork deleted": "DELETE FROM art_sessions WHERE id = %(artwork)s AND %(user)s <> ''",
    "user deleted": "DELETE FROM users WHERE id = %(user)s AND %(artwork)s <> ''",
}
_EMPTY = """
TRUNCATE users, art_sessions, user_art_impressions, conservator.run, conservator.batch,
    conservator.work, conservator.backfilled_impression, conservator.counter CASCADE
"""


@dataclass(frozen=True)
class Case:
    """A gallery, what the app does to every healed pair, and how large a batch may be."""

    users: int
    artworks: int
    since: tuple[str, ...]
    """For the healed pairs in order, again from the start when it is through."""
    healed_again: bool
    max_batch: int


cases = st.builds(
    Case,
    users=st.integers(1, 5),
    artworks=st.integers(1, 6),
    since=st.lists(st.sampled_from(sorted(DONE_SINCE)), min_size=1, max_size=12).map(tuple),
    healed_again=st.booleans(),
    max_batch=st.sampled_from([1, 2, 3, 7, 100]),
)


@examples(12)
@given(case=cases)
async def test_exactly_the_untouched_rows_go_and_all_others_stay_as_they_are(
    app_database_url: str, service_url: str, case: Case
) -> None:
    pace = {"pace": {"max_batch": case.max_batch}}
    async with (
        app_on(app_database_url) as app,
        make_runtime(service_url, healing=pace) as runtime,
    ):
        await app.run(_EMPTY)
        await app.plant(users=case.users, artworks=case.artworks)
        healed = (await heal(runtime)).run
        await live_on(app, healed.id, case)
        if case.healed_again and await app.value("SELECT count(*) FROM users") > 1:
            await heal_what_is_missing(runtime)
        before, ledger = await impressions(app), await listed(app)
        others = await app.fingerprint("users", "art_sessions")
        untouched = {row[:3] for row in before} & {row[1:] for row in ledger if row[0] == healed.id}
        found = await previewed(runtime, healed.id)
        assert found.untouched == len(untouched)
        if untouched:
            ended = (await undo(runtime, healed.id)).run
            assert (ended.state, ended.inserted) == (RunState.SUCCEEDED, len(untouched))
            assert f"{found.touched} were viewed again" in ended.outcome
            assert f"{found.gone} were gone already" in ended.outcome
            await assert_undo_is_booked(app, ended.id)
        assert await impressions(app) == [row for row in before if row[:3] not in untouched]
        assert await app.fingerprint("users", "art_sessions") == others
        pairs = {row[:2] for row in before}
        assert await listed(app) == [
            row
            for row in ledger
            if row[0] != healed.id
            or not untouched
            or (row[1:3] in pairs and row[1:] not in untouched)
        ]


async def live_on(app: App, run_id: int, case: Case) -> None:
    """The app's life goes on with the healed pairs."""
    pairs = await app.rows(
        "SELECT user_id, artwork_id FROM conservator.backfilled_impression WHERE run_id = %(id)s"
        " ORDER BY user_id, artwork_id",
        id=run_id,
    )
    for n, (user, artwork) in enumerate(pairs):
        action = case.since[n % len(case.since)]
        there = await app.value(
            f"SELECT count(*) FROM user_art_impressions WHERE {HEALED}", user=user, artwork=artwork
        )
        if there:
            await app.run(DONE_SINCE[action], user=user, artwork=artwork)
            if action == "deleted and viewed again":
                await app.run(UPSERT, user=user, artwork=artwork)


async def impressions(app: App) -> list[tuple[str, ...]]:
    """User, artwork, moment, and the whole row; as text."""
    return await app.rows(
        "SELECT user_id, artwork_id, viewed_at::text, i::text FROM user_art_impressions AS i"
        " ORDER BY user_id, artwork_id"
    )


async def test_an_undo_of_an_untouched_run_leaves_everything_as_it_was(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=9, artworks=25, **paced(40)) as (app, runtime):
        before = await app.fingerprint(*TABLES)
        healed = await heal(runtime)
        ended = await undo(runtime, healed.run.id)
        assert await app.fingerprint(*TABLES) == before
        assert (ended.run.state, ended.run.inserted) == (RunState.SUCCEEDED, 225)
        assert ended.run.batches == 6
        assert ended.run.outcome == (
            "Took back 225 of 225 impressions of run 1: 0 were viewed again since and stay, 0 were"
            " gone already. Automatic healing is suspended until `conservator resume`."
        )
        assert await app.value("SELECT count(*) FROM conservator.backfilled_impression") == 0
        # A fresh census, kept as the newest and handed on to be published.
        assert ended.census is not None
        assert ended.census.legacy_untracked == ended.run.legacy_after == 225
        newest = "SELECT legacy_untracked FROM conservator.census ORDER BY id DESC LIMIT 1"
        assert await app.value(newest) == 225
        await assert_undo_is_booked(app, ended.run.id)


async def test_an_undo_of_touched_rows_has_its_size_back_after_a_slow_batch(
    app_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    timings: list[BatchTiming] = []

    def timed(pace: Pace, settings: PaceSettings, timing: BatchTiming) -> Pace:
        timings.append(replace(timing, seconds=0.01 if timings else 60.0, blocked=0))
        return after_batch(pace, settings, timings[-1])

    async with planted(app_database_url, users=9, artworks=25, **paced(40)) as (app, runtime):
        healed = (await heal(runtime)).run
        # Three in four: what stays was looked at all the same.
        await app.run(
            "UPDATE user_art_impressions SET viewed_at = viewed_at + interval '1 second'"
            " WHERE artwork_id IN (SELECT id FROM art_sessions ORDER BY id OFFSET 6)"
        )
        monkeypatch.setattr("monitor.healing.executor.after_batch", timed)
        ended = (await undo(runtime, healed.id)).run
    assert 0 < ended.inserted * 2 < healed.inserted
    assert [timing.size for timing in timings][:5] == [40, 4, 4, 4, 40]
    assert [timing.rows for timing in timings][:5] == [40, 4, 4, 4, 40]
