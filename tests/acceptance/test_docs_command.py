"""`docs`, and what is said of expectations that can't be: the real command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import gallery_at, on_one_server
from tests.support.extras import require_expectations

require_expectations()
pytestmark = [on_one_server, pytest.mark.long]

PATIENCE = 60.0
KEPT = "SELECT count(*) FROM conservator.validation"
NOT_NULL = "expect_column_values_to_not_be_null"


def suite(*expectations: dict[str, Any], every: str = "1s") -> dict[str, Any]:
    one = {"name": "art", "table": "art_sessions", "every": every, "budget": "100%"}
    return {"expectations": [{**one, "expectations": list(expectations)}]}


def not_null(column: str) -> dict[str, Any]:
    return {"type": NOT_NULL, "kwargs": {"column": column}}


async def test_the_report_of_the_last_validation_is_written_without_values_and_into_folders_only(
    app_database_url: str, tmp_path: Path
) -> None:
    work = await gallery_at(app_database_url, tmp_path, checks=suite(not_null("user_id")))
    work.rows("UPDATE art_sessions SET user_id = NULL, prompt = 'the secret prompt'")
    nothing = work.run("docs")
    assert nothing.code == 1
    assert "conservator init" in nothing.err
    assert work.run("init").code == 0
    nothing = work.run("docs")
    assert nothing.code == 1
    assert "There is no report" in nothing.err
    with work.started("serve") as service:
        service.until(lambda: bool(work.value(KEPT)), PATIENCE)
    done = work.run("docs", "--out", "report")
    assert done.code == 0, done
    assert "index.html" in done.words
    index = (tmp_path / "report" / "index.html").read_text()
    assert '<a href="art.html">art</a>' in index
    assert "0 of 1" in index
    page = (tmp_path / "report" / "art.html").read_text()
    assert "user_id" in page
    assert "secret prompt" not in page
    (tmp_path / "taken").write_text("")
    done = work.run("docs", "--out", "taken")
    assert done.code == 78
    assert "--out: expected a folder" in done.err


@pytest.mark.parametrize("command", ["config check", "check", "serve"])
async def test_an_expectation_that_is_not_known_is_refused_with_its_path(
    app_database_url: str, tmp_path: Path, command: str
) -> None:
    wrong = suite(
        {"type": "expect_column_value_to_not_be_null", "kwargs": {"column": "prompt"}},
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"colum": "prompt"}},
    )
    work = await gallery_at(app_database_url, tmp_path, checks=wrong)
    done = work.run(*command.split())
    assert done.code == 78, done
    assert "checks.expectations[0].expectations[0].type: " in done.err
    assert f"did you mean {NOT_NULL}?" in done.err
    assert "checks.expectations[0].expectations[1].kwargs.column: " in done.err
    assert "Traceback" not in done.err


async def test_check_runs_the_suites_and_shows_them(app_database_url: str, tmp_path: Path) -> None:
    work = await gallery_at(
        app_database_url, tmp_path, checks=suite(not_null("prompt"), not_null("user_id"))
    )
    work.rows("UPDATE art_sessions SET user_id = (SELECT min(id) FROM users)")
    work.rows(
        "UPDATE art_sessions SET user_id = NULL"
        " WHERE id IN (SELECT id FROM art_sessions ORDER BY id LIMIT 3)"
    )
    done = work.run("check", "art")
    assert done.code == 1, done
    assert "art fail 1 not as expected" in done.words
    assert "art.column_values_to_not_be_null.user_id fail 3 not as expected" in done.words
    assert "art.column_values_to_not_be_null.prompt pass 0" in done.words
