"""Strangers' galleries, configured by names alone as a new user would: nothing is written, and
nothing is counted wrongly without a finding that names why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import on_one_server
from tests.support.naive import NaiveCase, ask, bad_advice, harm, silence
from tests.support.naive_cases import NAIVE_CASES
from tests.support.postgres import PostgresServer
from tests.support.stranger_galleries import NAMES, stranger_gallery


@on_one_server
@pytest.mark.parametrize("case", NAIVE_CASES, ids=lambda case: case.name)
@pytest.mark.long
def test_names_alone_write_nothing_and_are_not_taken_without_a_word(
    server: PostgresServer, case: NaiveCase, tmp_path: Path
) -> None:
    with stranger_gallery(server, case.gallery) as gallery:
        answers = ask(gallery, case, tmp_path)
    assert [*harm(case, answers)] == []
    assert [*silence(case, answers)] == []
    assert [*bad_advice(case, answers)] == []


def test_every_gallery_is_tried() -> None:
    assert {case.gallery for case in NAIVE_CASES} == {*NAMES}
