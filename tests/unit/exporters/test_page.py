"""The page: honest about what isn't known, and safe whatever the snapshot holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from checks.judgement import Outcome
from exporters.page.checks import Level, summarise
from monitor.policy.decision import Code, Decision, Verdict
from monitor.state.control import Control
from monitor.state.history import CensusPoint
from monitor.state.runs import RunKind, RunState
from monitor.status import CheckFacts, Status
from tests.support.builders import (
    NOON,
    a_census,
    a_check,
    a_run,
    a_suspicion,
    an_examination,
    at_work,
    checks,
    just_started,
)
from tests.unit.exporters.rendering import LATER, NOW, Tags, context, page, part, words

FINE = at_work(census=a_census(legacy_untracked=0))
POINTS = tuple(
    CensusPoint(NOON + timedelta(minutes=n), 40 + n, n % 3, 2, 6 - n % 7) for n in range(100)
)


@pytest.mark.parametrize(
    ("status", "now", "level", "said"),
    [
        (FINE, NOW, Level.FINE, "The gallery is fine"),
        (at_work(), NOW, Level.ATTENTION, "6 old artworks"),
        (FINE, LATER, Level.UNKNOWN, "too old"),
        (just_started(), NOW, Level.UNKNOWN, "Nothing has been counted yet"),
        (replace(FINE, leader=False), NOW, Level.FINE, "The gallery is fine"),
        (at_work(database_up=False), NOW, Level.UNKNOWN, "has not answered yet"),
        (
            at_work(database_up=False, database_error="No route."),
            NOW,
            Level.UNKNOWN,
            "can't be reached",
        ),
        (
            at_work(census=a_census(tracked=0, fresh=0, storage=0, legacy_untracked=0)),
            NOW,
            Level.UNKNOWN,
            "nothing to count",
        ),
        (
            at_work(
                census=a_census(legacy_untracked=0),
                checks=checks(a_check(), a_check("orphans", outcome=Outcome.FAIL)),
            ),
            NOW,
            Level.ATTENTION,
            "look at: orphans",
        ),
    ],
)
def test_the_sentence_calls_fine_only_what_is_known_to_be(
    status: Status, now: float, level: Level, said: str
) -> None:
    summary = summarise(status, now)
    assert summary.level is level
    assert said in summary.sentence
    shown = part(context(status, now), "sentence")
    assert said in words(shown)
    assert f'class="sentence {level}"' in shown


def test_the_sections_stand_in_the_order_of_a_reader_s_questions() -> None:
    headings = ["The four counts", "Last decision", "Current run", "Checks", "History of runs"]
    text = words(page(context(at_work())))
    places = [text.index(heading) for heading in ("6 old artworks", *headings, "Breaker and pause")]
    assert places == sorted(places)


def test_stale_counts_are_marked_as_out_of_date() -> None:
    old = part(context(FINE, LATER), "counts")
    assert "Out of date. Counted last on 31 January 2026, 12:00:00" in words(old)
    assert 'class="counts stale"' in old
    assert "Out of date" not in part(context(FINE), "counts")


def test_what_was_known_before_the_database_went_away_is_said_to_be_that() -> None:
    away = at_work(database_up=False, database_error="No route to <host>.")
    text = words(page(context(away, error="Gone."), error="Gone, too."))
    assert "No route to <host>. What follows is what was known last." in text
    assert "The runs can’t be read now: Gone. None was read before." in text
    assert "The history can’t be read now: Gone, too." in text


def test_before_the_first_census_every_section_says_that_it_is_empty() -> None:
    text = words(page(context(just_started(checks=checks()))))
    for said in (
        "Nothing has been counted yet. The first census fills this place.",
        "Two censuses make a line; there are not that many yet.",
        "Nothing has been decided yet.",
        "No run is active.",
        "No check is known yet.",
        "Nothing was ever healed.",
    ):
        assert said in text


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
    html = page(context(status, observe=True))
    text = words(html)
    for said in (
        "Wait. The last run ended 3 s ago.",
        "31 January 2026, 12:00:00. Reason code cooldown.",
        "paused deploy",
        "suspended no reason given",
        "observe Only a person heals",
        "open (loss) 30 <of> 40 vanished. Since 31 January 2026, 12:00:00.",
        "1,234 pairs appeared behind the last verified heal within 24 hours",
        "Healing has stopped until a person has looked",
    ):
        assert said in text
    assert "30 <of> 40" not in html


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"leader": True}, "This replica leads."),
        ({"leader": False, "leader_name": "host-b:<2>"}, "host-b:<2> leads; this replica stands"),
        ({"leader": False}, "No leader is known to this replica"),
    ],
)
def test_the_page_says_whether_this_replica_leads_and_who_does(
    changes: dict[str, object], said: str
) -> None:
    status = replace(FINE, replica="host-a:1:x", **changes)  # type: ignore[arg-type]
    assert said in words(part(context(status), "decision"))
    assert "replica host-a:1:x" in words(page(context(status)))


def test_runs_are_shown_from_how_many_to_how_many_and_undone_where_that_may_find_something() -> (
    None
):
    done = {"state": RunState.SUCCEEDED, "finished_at": NOON + timedelta(seconds=90)}
    runs = (
        a_run(id=5),
        a_run(id=4, kind=RunKind.UNDO, undoes=1, **done),
        a_run(id=3, legacy_before=100, legacy_after=0, **done),
        a_run(id=2, inserted=0, **done),
        a_run(id=1, **done),
    )
    html = part(context(at_work(), runs=runs), "runs")
    assert "Run 3 audience 31 Jan 12:00 90 s 40 100 → 0 succeeded Undo…" in words(html)
    assert "Run 4 undo of 1" in words(html)
    undos = [attrs["data-path"] for tag, attrs in Tags(html).seen if tag == "button"]
    assert undos == ["./api/runs/3/undo"]


@pytest.mark.parametrize("may_act", [True, False])
def test_buttons_are_there_only_where_an_admin_token_is_configured(may_act: bool) -> None:
    runs = (a_run(state=RunState.SUCCEEDED, finished_at=NOON),)
    html = page(context(at_work(), runs=runs, may_act=may_act))
    tags = Tags(html)
    acts = [attrs["data-path"] for _, attrs in tags.seen if "data-path" in attrs]
    expected = ["./api/runs/12/undo", "./api/healing/pause"] if may_act else []
    assert acts == expected
    assert ("dialog" in dict(tags.seen)) is may_act
    assert ("No admin token is configured" in html) is not may_act


@pytest.mark.parametrize(
    ("control", "path", "plan"),
    [
        (Control(paused=True, paused_reason="fire"), "resume", "The pause ends (fire). 6 legacy"),
        (
            Control(paused=True, suspended=True),
            "resume",
            "The pause ends (no reason given). So does the suspension.",
        ),
        (Control(suspended=True), "resume", "The suspension ends (no reason given)."),
        (
            Control(breaker_open=True, breaker_reason="Too much."),
            "reset-breaker",
            "It opened because: Too much.",
        ),
        (Control(), "pause", "Nobody writes until somebody resumes"),
    ],
)
def test_a_button_says_what_it_would_do_before_it_does(
    control: Control, path: str, plan: str
) -> None:
    tags = Tags(part(context(at_work(control=control)), "switches"))
    plans = {
        attrs["data-path"]: attrs["data-plan"] or "" for t, attrs in tags.seen if t == "button"
    }
    assert plan in plans[f"./api/healing/{path}"]
    assert len(plans) == len([attrs for t, attrs in tags.seen if t == "button"])


SUSPICIOUS = at_work(
    examination=an_examination(a_suspicion()),
    decision=Decision(Verdict.PAUSED, Code.OBSERVE, "Six."),
)


def test_a_suspicion_stands_at_the_counts_with_its_numbers_and_the_way_to_doctor() -> None:
    counts = words(part(context(SUSPICIOUS), "counts"))
    assert "Suspicious. The counts may not mean what they say: visitors.studio_id:" in counts
    assert "None of 12,686 impressions crosses studio_id, which 4 values share." in counts
    assert "`conservator doctor`" in counts
    assert "Suspicious" not in words(page(context(at_work())))
    for shown in (SUSPICIOUS, replace(SUSPICIOUS, census=a_census(legacy_untracked=0))):
        summary = summarise(shown, NOW)
        assert summary.level is Level.ATTENTION
        assert "may not mean what they say" in summary.sentence


def test_nothing_offers_a_way_past_a_suspicion() -> None:
    latched = Control(
        breaker_open=True, breaker_code="max_share", breaker_reason="Too much.", breaker_at=NOON
    )
    for control in (Control(), latched):
        html = page(context(replace(SUSPICIOUS, control=control)))
        paths = [attrs["data-path"] for _, attrs in Tags(html).seen if "data-path" in attrs]
        assert set(paths) <= {"./api/healing/pause"}
        assert "-breaker" not in html
    open_one = words(part(context(replace(SUSPICIOUS, control=latched)), "switches"))
    assert "Too much. First answer what is suspected of the counts" in open_one


def test_what_blocks_healing_is_told_and_no_heal_is_offered() -> None:
    waits = Decision(Verdict.PAUSED, Code.OBSERVE, "Six.")
    free = context(at_work(decision=waits))
    assert "Heal now" in part(free, "decision")
    assert "Nothing in the app's tables blocks healing." in words(part(free, "switches"))
    missing = a_suspicion(accepted_as=None, subject="seen", problem="No right to <insert>.")
    shown = context(at_work(decision=waits, examination=an_examination(*[missing] * 4)))
    assert "Heal now" not in part(shown, "decision")
    switches = words(part(shown, "switches"))
    assert "block healing seen: No right to <insert>.; seen:" in switches
    assert "and more. `conservator doctor` says what mends it." in switches


def test_the_chart_is_drawn_and_written_out_without_a_script() -> None:
    html = page(context(at_work()), POINTS)
    tags = Tags(html)
    lines = [attrs["points"] or "" for tag, attrs in tags.seen if tag == "polyline"]
    assert [len(line.split()) for line in lines] == [100] * 4
    labels = [attrs["aria-label"] for tag, attrs in tags.seen if tag == "svg"]
    assert labels[0] == "Legacy untracked: 6 at first, 5 at last, between 0 and 6"
    text = words(html)
    assert "The same as a table" in text
    assert text.count("31 Jan 1") >= 20


def test_whatever_the_snapshot_holds_is_escaped() -> None:
    evil = "<script>alert('x')</script>\"&"
    status = at_work(
        version=evil,
        replica=evil,
        database_error=evil,
        database_up=False,
        decision=Decision(Verdict.WAIT, Code.WINDOW, evil),
        control=Control(True, evil, None, True, evil),
        active_run=a_run(state=RunState.HELD, outcome=evil, reason=evil),
        census=a_census(legacy_untracked=0),
        checks=checks(
            a_check(),
            a_check(
                evil,
                outcome=Outcome.FAIL,
                message=evil,
                evidence=({evil: evil},),
                facts=CheckFacts(warn=evil, fail=evil, owner=evil, runbook=evil),
            ),
        ),
    )
    html = page(context(status, runs=(a_run(outcome=evil),), error=evil), error=evil)
    tags = Tags(html)
    assert tags.open == []
    scripts = [attrs for tag, attrs in tags.seen if tag == "script"]
    assert all((attrs["src"] or "").startswith("./static/") for attrs in scripts)
    assert "<script>" not in html
    assert tags.text.count("alert('x')") >= 14
    assert [attrs for _, attrs in tags.seen if any(name.startswith("on") for name in attrs)] == []
