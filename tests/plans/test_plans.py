"""No statement's plan is worse than the one that was recorded, and no statement is forgotten."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from monitor.healing.repair_statements import MENDS, UNDOES
from tests.plans.files import name_of, statement_files
from tests.plans.gallery import LARGE, SMALL, key, observe, plan_server, recorded
from tests.plans.left_out import LEFT_OUT
from tests.plans.log import Executed, executed
from tests.plans.record import (
    FREE,
    MANY,
    PROCESSES,
    Kept,
    Plans,
    better,
    from_json,
    kept,
    together,
    worse,
)

SCAN = {
    "Node Type": "Seq Scan",
    "Relation Name": "user_art_impressions",
    "Actual Loops": 1,
    "Actual Rows": MANY,
}
PROBE = {
    **SCAN,
    "Node Type": "Index Only Scan",
    "Index Name": "user_art_impressions_unique_user_artwork",
}
SORT = {"Node Type": "Sort", "Actual Loops": 1, "Sort Space Type": "Memory"}


def plans(*nodes: dict[str, object]) -> Plans:
    """Of one act with one statement."""
    return {"app": together([("census", Executed("", {**SORT, "Plans": nodes}))])}


def test_every_statement_has_a_plan_no_worse_than_recorded_or_is_left_out_for_a_reason() -> None:
    # One test, so that the gallery is never made by two workers.
    with plan_server() as server:
        seen = observe(server, SMALL)
    problems = worse(recorded(SMALL), seen.plans)
    assert problems == [], "look at the plans; if they are right: python -m tests.plans --record"
    files = statement_files().keys()
    assert sorted(files - seen.files - LEFT_OUT.keys()) == []
    assert LEFT_OUT.keys() <= files
    assert seen.unknown == set(), "a statement over a large table stands in no file"
    # One moment is that of all rows of a batch: each of a user's would meet all others.
    undone = {index for act in seen.plans.values() for index in _of(act, "undo_batch").indexes}
    assert undone & {"user_art_impressions_unique_user_artwork"}
    assert not undone & {"user_art_impressions_user_id_viewed_at_idx"}


def _of(act: Mapping[str, Kept], name: str) -> Kept:
    return act.get(name, Kept())


def test_both_sizes_are_recorded_with_the_same_acts() -> None:
    assert recorded(SMALL).keys() == recorded(LARGE).keys()
    # How a work list is written down depends on how much is legacy.
    listing = {"plan_walk", "work_insert"}
    small, large = (recorded(size)["app"].keys() - listing for size in (SMALL, LARGE))
    assert small == large


def test_the_impressions_are_never_read_whole_by_a_batch_or_a_question_about_one_user() -> None:
    everywhere = [statements for size in (SMALL, LARGE) for statements in recorded(size).values()]
    for name in ("batch_insert", "undo_batch", "user_census", "explain_pair", "recording_sample"):
        scanned = {table for act in everywhere if name in act for table in act[name].scanned}
        assert "user_art_impressions" not in scanned, name


def test_nor_is_the_table_of_a_repair_by_a_batch_of_it_or_of_its_undo() -> None:
    for size in (SMALL, LARGE):
        repairs = recorded(size)["repairs"]
        for name in (*MENDS.values(), *UNDOES.values(), "repair_read_back"):
            # What `find` joins with the keys may be small.
            assert "shown" not in repairs[name].scanned, name


def test_neither_what_an_undo_would_find_nor_a_sample_reads_the_ledger_needlessly() -> None:
    for size in (SMALL, LARGE):
        survey, sample = (recorded(size)["app"][n] for n in ("undo_survey", "recording_sample"))
        assert "user_art_impressions" not in survey.scanned
        assert not survey.on_disk, "it sorts what it compares"
        # Of some thousand rows the index tells no more than that they are all there.
        assert size is SMALL or "backfilled_impression" not in sample.scanned


def test_a_new_sequential_scan_is_one_sentence_that_names_the_index_it_used() -> None:
    assert worse(plans(PROBE), plans(PROBE)) == []
    assert worse(plans(PROBE), plans(SCAN)) == [
        "census (app): it reads the whole of user_art_impressions, where it used"
        " user_art_impressions_unique_user_artwork."
    ]


@pytest.mark.parametrize(
    ("spilled", "kind"),
    [
        ({**SORT, "Sort Space Type": "Disk"}, "Sort"),
        ({"Node Type": "Aggregate", "Actual Loops": 1, "Disk Usage": 8}, "Aggregate"),
        ({"Node Type": "Hash", "Actual Loops": 1, "Hash Batches": 4}, "Hash"),
        ({**SORT, "Workers": [{"Sort Space Type": "Disk"}]}, "Sort"),
        (
            {
                "Node Type": "Incremental Sort",
                "Actual Loops": 1,
                "Pre-sorted Groups": {"Sort Methods Used": ["external merge"]},
            },
            "Incremental Sort",
        ),
    ],
)
def test_what_newly_goes_to_disk_is_one_sentence(spilled: dict[str, object], kind: str) -> None:
    assert worse(plans(PROBE), plans(PROBE, spilled)) == [
        f"census (app): 1 of its nodes of kind {kind} go to disk, expected at most 0."
    ]
    assert worse(plans(PROBE, spilled), plans(PROBE, spilled)) == []


def test_a_better_plan_is_no_failure_and_is_told() -> None:
    assert worse(plans(SCAN), plans(PROBE)) == []
    assert better(plans(SCAN), plans(PROBE)) == [
        "census (app) has a better plan than was recorded."
    ]
    assert better(plans(PROBE), {"app": {}}) == ["census (app) was not executed."]


def test_a_statement_without_a_record_may_use_indexes_only() -> None:
    assert worse({}, plans(PROBE)) == []
    assert worse({}, plans(SCAN)) == ["census (app): it reads the whole of user_art_impressions."]


def test_a_node_that_was_never_executed_read_nothing() -> None:
    assert kept(Executed("", {**SCAN, "Actual Loops": 0})) is None


def test_few_rows_may_be_read_as_a_whole_once_but_not_again_and_again() -> None:
    few = {**SCAN, "Actual Rows": 10, "Rows Removed by Filter": 90}
    assert worse(plans(PROBE), plans(few)) == []
    assert len(worse(plans(PROBE), plans({**few, "Actual Loops": MANY / 100}))) == 1


def test_rows_may_be_gone_through_once_but_not_again_for_each_of_others() -> None:
    compared = {"Node Type": "Nested Loop", "Actual Loops": 1, "Rows Removed by Join Filter": FREE}
    rescanned = {"Node Type": "CTE Scan", "Actual Loops": MANY, "Actual Rows": FREE / MANY}
    once = {"Node Type": "CTE Scan", "Actual Loops": 1, "Actual Rows": 9 * FREE}
    assert worse(plans(PROBE), plans(PROBE, once)) == []
    for loops, one in ((1, compared), (MANY, rescanned)):
        assert worse(plans(PROBE), plans(PROBE, one)) == []
        twice = {**one, "Actual Loops": 2 * loops}
        assert worse(plans(PROBE), plans(PROBE, twice)) == [
            f"census (app): it goes through {2 * FREE} rows, loop by loop, expected about 0."
        ]
        assert worse(plans(PROBE, one), plans(PROBE, twice)) == []


def test_a_table_that_is_read_for_each_of_many_rows_is_one_sentence() -> None:
    again = {**SCAN, "Actual Rows": MANY, "Actual Loops": PROCESSES + 1}
    assert worse(plans(SCAN), plans({**again, "Actual Loops": PROCESSES})) == []
    assert worse(plans(SCAN), plans(again)) == [
        "census (app): it reads the whole of user_art_impressions again and again."
    ]


def test_what_is_recorded_is_read_as_it_was_written() -> None:
    written = {act: {n: one.as_json() for n, one in of.items()} for act, of in plans(SCAN).items()}
    assert from_json(json.loads(json.dumps(written))) == {
        "app": {"census": Kept(frozenset({"user_art_impressions"}))}
    }


def test_the_log_is_read_past_other_programs_and_other_lines() -> None:
    plan = '{\n\t  "Query Text": "SELECT\\n1",\n\t  "Plan": {"Node Type": "Result"}\n\t}\n'
    text = (
        f"conservator|LOG:  duration: 0.1 ms  plan:\n\t{plan}"
        f"app|LOG:  duration: 0.1 ms  plan:\n\t{plan}"
        "conservator|ERROR:  no\n"
        f"conservator|LOG:  duration: 12.1 ms  plan:\n\t{plan}"
    )
    assert executed(text) == [Executed("SELECT\n1", {"Node Type": "Result"})] * 2


def test_a_statement_is_known_by_its_file_with_names_and_parameters_filled_in() -> None:
    files = statement_files()
    text = (
        "-- The work list of a per-user run: that one user.\n"
        'INSERT INTO "state".work (run_id, position, user_id, found, planned)\n'
        "VALUES ($1, 1, $2::varchar, $3, $3)"
    )
    assert name_of(text, files) == "work_insert_user"
    assert name_of(text.replace("VALUES", "VALUE"), files) is None


def test_the_sizes_have_names_of_their_own() -> None:
    assert key(SMALL) != key(LARGE)
