"""Strangers' galleries, configured by names alone as a new user would: nothing is written, and
nothing is counted wrongly without a finding that names why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.naive import NaiveCase, ask, bad_advice, harm, silence
from tests.support.naive_cases import NAIVE_CASES
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
_GOOD_ADVICE = ("deleted_on_purpose", "domain_ids", "existence_only", "tenants")
_REMEDIES = "remedies leave what the app writes alone"
ADVICE: dict[str, str] = dict.fromkeys(
    (case.name for case in NAIVE_CASES if case.gallery not in _GOOD_ADVICE), _REMEDIES
)
"""Which cases get a remedy that would harm."""


@pytest.mark.parametrize("case", NAIVE_CASES, ids=lambda case: case.name)
def test_names_alone_write_nothing_and_are_not_taken_without_a_word(
    server: PostgresServer, case: NaiveCase, tmp_path: Path
) -> None:
    with stranger_gallery(server, case.gallery) as gallery:
        answers = ask(gallery, case, tmp_path)
    _hold([*harm(case, answers)], HARMS.get(case.name))
    _hold([*silence(case, answers)], SILENT.get(case.name))
    _hold([*bad_advice(case, answers)], ADVICE.get(case.name))


def _hold(wrong: list[str], pending: str | None) -> None:
    if wrong and pending is not None:
        pytest.xfail(f"waits for: {pending}")
    assert wrong == []


def test_every_gallery_is_tried() -> None:
    assert {case.gallery for case in NAIVE_CASES} == {*NAMES}
