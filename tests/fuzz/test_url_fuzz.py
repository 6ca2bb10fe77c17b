"""URLs are taken where libpq reads them and its manual lists their values; nothing else is."""

from __future__ import annotations

import pytest

from tests.fuzz import urls
from tests.fuzz.urls import wrong_urls


def test_a_url_is_taken_exactly_where_libpq_and_its_manual_know_it() -> None:
    tried, wrong = wrong_urls(seed=1, number=300)
    assert tried > 500
    assert wrong == []


def test_a_program_that_takes_everything_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "parse_database_url", lambda _: None)
    _, wrong = wrong_urls(seed=1, number=0)
    assert len(wrong) > 40
