"""/api/runs: lists and batches page by page; numbers that can't be runs."""

from __future__ import annotations

import pytest

from monitor.state.runs import BatchRow, QuarantinedPair, RunKind, RunState
from tests.support.builders import NOON, a_run
from tests.unit.exporters.serving import ADMIN, Served


async def get(served: Served, path: str) -> tuple[int, dict[str, object]]:
    async with served.client.get(path, headers=ADMIN) as response:
        return response.status, await response.json()


async def test_runs_are_paged_to_the_end(served: Served) -> None:
    served.commands.found_runs = tuple(a_run(id=number) for number in (5, 4, 3, 2, 1))
    pages, cursor = [], ""
    while True:
        _, answer = await get(served, f"/api/runs?limit=2{cursor}")
        listed = answer["runs"]
        assert isinstance(listed, list)
        pages.append([run["id"] for run in listed])
        if answer["next"] is None:
            break
        cursor = f"&before={answer['next']}"
    assert pages == [[5, 4], [3, 2], [1]]


async def test_a_last_page_that_is_full_has_no_successor(served: Served) -> None:
    served.commands.found_runs = (a_run(id=2), a_run(id=1))
    assert (await get(served, "/api/runs?limit=2"))[1]["next"] is None
    assert (await get(served, "/api/runs"))[1]["next"] is None


async def test_a_run_comes_with_its_batches_page_by_page(served: Served) -> None:
    run = a_run(kind=RunKind.USER, subject=77, state=RunState.SUCCEEDED, finished_at=NOON)
    served.commands.found_runs = (run,)
    served.commands.found_batches = tuple(
        BatchRow(number, NOON, 0.25, users=4, inserted=20, size=25, size_reason="fast")
        for number in (1, 2, 3)
    )
    _, first = await get(served, "/api/runs/12?limit=2")
    _, second = await get(served, f"/api/runs/12?limit=2&after={first['next']}")
    assert (first["next"], second["next"]) == (2, None)
    assert second["batches"] == [
        {
            "number": 3,
            "started_at": "2026-01-31T12:00:00.000Z",
            "seconds": 0.25,
            "users": 4,
            "inserted": 20,
            "size": 25,
            "size_reason": "fast",
        }
    ]
    shown = first["run"]
    assert isinstance(shown, dict)
    assert (shown["id"], shown["user_id"], shown["state"]) == (12, "77", "succeeded")
    assert shown["finished_at"] == "2026-01-31T12:00:00.000Z"
    assert not {"token", "lease_until", "artwork_cursor", "position"} & set(shown)


async def test_a_run_says_what_it_waits_for_and_where_its_time_went(served: Served) -> None:
    served.commands.found_runs = (a_run(waiting_for="Replica a is 12.3 s behind."),)
    served.commands.found_waits = {"replica_lag": 60.5, "duty": 2.0}
    _, answer = await get(served, "/api/runs/12")
    shown = answer["run"]
    assert isinstance(shown, dict)
    assert shown["waiting_for"] == "Replica a is 12.3 s behind."
    assert list(shown["waits"].items()) == [("replica_lag", 60.5), ("duty", 2.0)]
    served.commands.found_runs = (a_run(),)
    _, answer = await get(served, "/api/runs")
    assert isinstance(answer["runs"], list)
    assert [run["waiting_for"] for run in answer["runs"]] == [None]


async def test_a_run_says_what_is_configured_otherwise_by_now(served: Served) -> None:
    for catalogue, settings in (({}, ["catalog.impressions.where"]), (None, [])):
        served.commands.found_runs = (a_run(catalogue=catalogue),)
        _, answer = await get(served, "/api/runs/12")
        shown = answer["run"]
        assert isinstance(shown, dict)
        assert shown["other_settings"] == settings
        assert "catalogue" not in shown
        async with served.client.get("/runs/12", headers=ADMIN) as response:
            page = await response.text()
        assert ("Configured otherwise by now</dt><dd>catalog.impressions.where" in page) == bool(
            settings
        )


async def test_a_run_tells_some_of_the_pairs_that_it_put_aside(served: Served) -> None:
    pair = QuarantinedPair("u1", "a1", 12, "23514: no", 2, NOON, NOON, NOON)
    served.commands.found_runs = (a_run(quarantined=1),)
    served.commands.found_quarantine = (pair,)
    _, answer = await get(served, "/api/runs/12")
    shown = answer["run"]
    assert isinstance(shown, dict)
    assert shown["quarantined"] == 1
    assert answer["quarantine"] == [
        {
            "user_id": "u1",
            "artwork_id": "a1",
            "error": "23514: no",
            "attempts": 2,
            **dict.fromkeys(("first_at", "last_at", "retry_at"), "2026-01-31T12:00:00.000Z"),
        }
    ]
    assert ("quarantine", 12) in served.commands.asked


@pytest.mark.parametrize("number", ["99", "0", "-1", "abc", "1.5", "9" * 19, "9" * 99, "%FF", "١"])
async def test_a_run_that_is_not_there_is_not_found(served: Served, number: str) -> None:
    status, answer = await get(served, f"/api/runs/{number}")
    assert status == 404
    assert answer["error"]["code"] == "unknown_run"  # type: ignore[index]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=",
        "limit=-1",
        "limit=1&limit=2",
        "before=-1",
        "before=9223372036854775808",
        "after=1",
        "x=1",
    ],
)
async def test_a_page_that_is_none_is_refused(served: Served, query: str) -> None:
    status, answer = await get(served, f"/api/runs?{query}")
    assert (status, answer["error"]["code"]) == (400, "bad_request")  # type: ignore[index]
    assert served.commands.asked == []


async def test_the_largest_page_and_cursor_are_possible(served: Served) -> None:
    await get(served, "/api/runs?limit=200&before=9223372036854775807")
    assert served.commands.asked == [("runs", 201, 9223372036854775807)]
