"""The current run on the page: how far, how fast, how long to go, and what it waits for."""

from __future__ import annotations

from monitor.healing.executor import Progress
from monitor.state.control import Control
from monitor.state.runs import Run, RunKind, RunState
from monitor.status import Status
from tests.support.builders import a_run, at_work
from tests.unit.exporters.rendering import context, part, words


def run_of(status: Status) -> str:
    return words(part(context(status), "run"))


def progress(run: Run, **changes: object) -> Progress:
    values = {"inserted": 4_000, "batch": None, "size": 10, "rows_per_second": 100.0}
    return Progress(run=run, **{**values, "waiting_for": None, **changes})  # type: ignore[arg-type]


def test_progress_rate_and_time_to_go_are_those_of_the_worker() -> None:
    run = a_run(planned_rows=10_000, inserted=0)
    status = at_work(active_run=run, progress=progress(run))
    text = run_of(status)
    assert "Run 12 heals the audience" in text
    assert "4,000 of 10,000 rows, 6,000 left" in text
    assert "100 rows a second" in text
    assert "Time to go about 60 s" in text
    assert "Waits for nothing" in text
    assert '<progress max="10000" value="4000"' in part(context(status), "run")


def test_a_follower_tells_the_rate_from_the_run_s_row() -> None:
    text = run_of(at_work(active_run=a_run(waiting_for="Replica b is 9.0 s behind.")))
    assert "40 of 100 rows, 60 left" in text
    assert "20 rows a second" in text
    assert "Waits for Replica b is 9.0 s behind." in text


def test_what_a_run_waits_for_is_escaped_and_said() -> None:
    run = a_run()
    waiting = progress(run, waiting_for="<1 of 2>")
    assert "Waits for <1 of 2>" in run_of(at_work(active_run=run, progress=waiting))


def test_a_run_that_was_put_down_says_why_and_promises_no_time() -> None:
    text = run_of(at_work(active_run=a_run(state=RunState.HELD, outcome="Paused: fire.")))
    assert "Time to go put down" in text
    assert "Waits for put down: Paused: fire." in text


def test_a_paused_run_promises_no_time() -> None:
    assert "Time to go paused" in run_of(at_work(active_run=a_run(), control=Control(paused=True)))


def test_an_undo_says_what_it_takes_back() -> None:
    assert "takes run 7 back" in run_of(at_work(active_run=a_run(kind=RunKind.UNDO, undoes=7)))


def test_progress_of_another_run_is_not_shown_as_this_one_s() -> None:
    other = progress(a_run(id=11), rows_per_second=999.0)
    assert "999" not in run_of(at_work(active_run=a_run(), progress=other))
