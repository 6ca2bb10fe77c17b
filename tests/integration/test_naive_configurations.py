"""Strangers' galleries, configured by names alone as a new user would: nothing is written, and
nothing is counted wrongly without a finding that names why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.naive import NAIVE_CASES, Answers, NaiveCase, ask, harm, silence
from tests.support.postgres import PostgresServer
from tests.support.stranger_galleries import NAMES, stranger_gallery

HARMS: dict[str, str] = {
    "status_rows": "seen_at holds NULLs: a suspicion that blocks",
}
"""What is still written, until the finding is there."""
_SERVED = "serve and heal --dry-run say what blocks healing"
_LEFT_OUT = "a finding tells the columns by which rows look left out"
SILENT: dict[str, str] = {
    "anonymous": f"{_LEFT_OUT}; {_SERVED}",
    "deleted_on_purpose": f"nothing_viewed_before_cleared_at; {_LEFT_OUT}; {_SERVED}",
    "derived_value": f"{_LEFT_OUT}; {_SERVED}",
    "domain_ids": f"{_LEFT_OUT}; {_SERVED}",
    "framework_times": f"{_LEFT_OUT}; {_SERVED}",
    "polymorphic": f"kind tells rows of other kinds; {_SERVED}",
    "row_security": _LEFT_OUT,
    "status_rows": f"seen_at holds NULLs; unknown_users; {_LEFT_OUT}; {_SERVED}",
    "subscriptions": f"seen is false or NULL in some rows; {_LEFT_OUT}; {_SERVED}",
    "tenants": f"nobody_crosses_studio_id; {_LEFT_OUT}; {_SERVED}",
}
"""What is not said yet, and the finding that will say it."""


def cases(pending: dict[str, str]) -> list[object]:
    """Every case; those that wait for a finding are marked with it."""
    return [
        pytest.param(
            case,
            id=case.name,
            marks=[pytest.mark.xfail(reason=pending[case.name], strict=False)]
            if case.name in pending
            else [],
        )
        for case in NAIVE_CASES
    ]


_answers: dict[tuple[Path, str], Answers] = {}


def answered(server: PostgresServer, case: NaiveCase, directory: Path) -> Answers:
    """What the commands came to, asked once on each server."""
    key = (server.socket_dir, case.name)
    if key not in _answers:
        with stranger_gallery(server, case.gallery) as gallery:
            _answers[key] = ask(gallery, case, directory)
    return _answers[key]


@pytest.mark.parametrize("case", cases(HARMS))
def test_names_alone_do_no_harm(server: PostgresServer, case: NaiveCase, tmp_path: Path) -> None:
    assert [*harm(case, answered(server, case, tmp_path))] == []


@pytest.mark.parametrize("case", cases(SILENT))
def test_names_alone_are_not_taken_without_a_word(
    server: PostgresServer, case: NaiveCase, tmp_path: Path
) -> None:
    assert [*silence(case, answered(server, case, tmp_path))] == []


def test_every_gallery_is_tried() -> None:
    assert {case.gallery for case in NAIVE_CASES} == {*NAMES}
