"""The page: honest about what isn't known, and safe whatever the snapshot holds."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from checks.judgement import Outcome
from exporters.page.render import render_page
from exporters.page.summary import Mood, summarise
from monitor.healing.executor import Progress
from monitor.policy import Code, Decision, Verdict
from monitor.state.control import Control
from monitor.state.runs import RunKind, RunState
from monitor.status import CheckFacts, Status
from tests.unit.exporters.builders import (
    NOON,
    a_census,
    a_check,
    a_run,
    at_work,
    checks,
    just_started,
)
from tests.unit.exporters.serving import ADMIN, Served

NOW = 1000.0
LATER = NOW + 181.0
FINE = at_work(census=a_census(legacy_untracked=0))


@pytest.mark.parametrize(
    ("status", "now", "mood", "words"),
    [
        (FINE, NOW, Mood.FINE, "The gallery is fine"),
        (at_work(), NOW, Mood.ATTENTION, "6 old artworks"),
        (FINE, LATER, Mood.UNKNOWN, "too old"),
        (just_started(), NOW, Mood.UNKNOWN, "Nothing has been counted yet"),
        (replace(FINE, leader=False), NOW, Mood.FINE, "The gallery is fine"),
        (at_work(database_up=False), NOW, Mood.UNKNOWN, "has not answered yet"),
        (
            at_work(database_up=False, database_error="No route."),
            NOW,
            Mood.UNKNOWN,
            "can't be reached",
        ),
        (
            at_work(census=a_census(tracked=0, fresh=0, storage=0, legacy_untracked=0)),
            NOW,
            Mood.UNKNOWN,
            "nothing to count",
        ),
        (
            at_work(
                census=a_census(legacy_untracked=0),
                checks=checks(a_check(), a_check("orphans", outcome=Outcome.FAIL)),
            ),
            NOW,
            Mood.ATTENTION,
            "look at: orphans",
        ),
    ],
)
def test_the_sentence_calls_fine_only_what_is_known_to_be(
    status: Status, now: float, mood: Mood, words: str
) -> None:
    summary = summarise(status, now)
    assert summary.mood is mood
    assert words in summary.sentence
    assert words.replace("'", "&#x27;") in render_page(status, now, observe=False)


def test_stale_counts_are_marked_as_out_of_date() -> None:
    assert "Out of date: as of 2026-01-31" in render_page(FINE, LATER, observe=False)
    assert "Out of date" not in render_page(FINE, NOW, observe=False)


def test_the_page_says_what_was_decided_and_what_is_switched() -> None:
    status = at_work(
        decision=Decision(Verdict.WAIT, Code.COOLDOWN, "The last run ended 3 s ago."),
        decided_at=NOON,
        control=Control(
            paused=True,
            paused_reason="deploy",
            suspended=True,
            breaker_open=True,
            breaker_code="loss",
            breaker_reason="30 <of> 40 vanished.",
            breaker_at=NOON,
        ),
        recurring=1234,
    )
    page = render_page(status, NOW, observe=True)
    for words in (
        "wait: The last run ended 3 s ago. (2026-01-31T12:00:00.000Z)",
        "deploy",
        "no reason given",
        "observe: only a person heals",
        "open since 2026-01-31T12:00:00.000Z (loss): 30 &lt;of&gt; 40 vanished.",
        "1,234 pairs appeared behind the last verified heal within 24 hours",
        "Healing has stopped until a person has looked",
    ):
        assert words in page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"leader": True}, "this replica, host-a:1:x"),
        ({"leader": False, "leader_name": "host-b:<2>"}, "host-b:&lt;2&gt;; this replica stands"),
        ({"leader": False}, "nobody that this replica knows of"),
    ],
)
def test_the_page_says_whether_this_replica_leads_and_who_does(
    changes: dict[str, object], words: str
) -> None:
    status = replace(FINE, replica="host-a:1:x", **changes)  # type: ignore[arg-type]
    assert f"<dt>Leader</dt><dd>{words}" in render_page(status, NOW, observe=False)


def test_the_page_says_how_far_a_run_is() -> None:
    run = a_run(planned_rows=10_000, inserted=0)
    progress = Progress(
        run=run, inserted=4_000, batch=None, size=10, rows_per_second=100.0, waiting_for=None
    )
    page = render_page(at_work(active_run=run, progress=progress), NOW, observe=False)
    assert "healing, 6,000 of 10,000 rows left, about 60 s" in page
    held = a_run(state=RunState.HELD, outcome="Paused: fire.")
    page = render_page(at_work(active_run=held), NOW, observe=False)
    assert "put down with 60 of 100 rows left: Paused: fire." in page


def test_the_page_says_which_run_an_undo_takes_back() -> None:
    undo = a_run(kind=RunKind.UNDO, undoes=7)
    page = render_page(at_work(active_run=undo, progress=None), NOW, observe=False)
    assert "taking run 7 back, 60 of 100 rows left" in page


def test_the_page_says_what_a_run_waits_for() -> None:
    run = a_run(waiting_for="Replica b is 9.0 s behind.")
    waiting = Progress(
        run=run, inserted=40, batch=None, size=10, rows_per_second=1.0, waiting_for="<1 of 2>"
    )
    page = render_page(at_work(active_run=run, progress=waiting), NOW, observe=False)
    assert "waiting with 60 of 100 rows left: &lt;1 of 2&gt;" in page
    # Another process works on it: its row says what it waits for.
    page = render_page(at_work(active_run=run), NOW, observe=False)
    assert "waiting with 60 of 100 rows left: Replica b is 9.0 s behind." in page


class Tags(HTMLParser):
    """The start tags of a document, and whether each was closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_whatever_the_snapshot_holds_is_escaped() -> None:
    evil = "<script>alert('x')</script>\"&"
    status = at_work(
        version=evil,
        database_error=evil,
        decision=Decision(Verdict.WAIT, Code.WINDOW, evil),
        control=Control(True, evil, None, True, evil),
        active_run=a_run(state=RunState.HELD, outcome=evil),
        census=a_census(legacy_untracked=0),
        checks=checks(
            a_check(),
            a_check(
                evil,
                outcome=Outcome.FAIL,
                message=evil,
                evidence=({evil: evil},),
                facts=CheckFacts(owner=evil, runbook=evil),
            ),
        ),
    )
    page = render_page(status, NOW, observe=False)
    tags = Tags(page)
    assert tags.open == []
    assert "script" not in tags.seen
    assert page.count("&lt;script&gt;") == 13


async def test_the_page_may_load_nothing_but_its_own_style(served: Served) -> None:
    async with served.client.get("/", headers=ADMIN) as response:
        policy, page = response.headers["Content-Security-Policy"], await response.text()
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert re.search(r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='", policy)
    assert "src=" not in page
    assert "style=" not in page
    assert served.commands.asked == []
