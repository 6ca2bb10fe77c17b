"""Which errors speak of a row, and what is kept of them."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from checks.errors import DatabaseUnavailableError
from monitor.healing.errors import LeaseLostError, RunHeld
from monitor.healing.sqlstates import is_row_error, is_worth_retrying, refusal_sentence


@pytest.mark.parametrize(
    "state",
    [
        "23514",
        "23502",
        "23503",
        "23505",
        "22012",
        "22P02",
        "P0001",
        "P0004",
        "21000",
        "44000",
        "54000",
        "SD001",
        "ZZ999",
        "9X001",
    ],
)
def test_an_error_of_a_row_may_spare_other_rows(state: str) -> None:
    assert is_row_error(state)


@pytest.mark.parametrize(
    "state",
    [
        "42P01",
        "42501",
        "42883",
        "53100",
        "53200",
        "0A000",
        "XX000",
        "XX001",
        "25006",
        "57014",
        "40001",
        "40P01",
        "55P03",
        "08006",
        "28000",
        "3D000",
        "54001",
        "58030",
        "F0000",
        "HV000",
        None,
    ],
)
def test_other_errors_are_the_same_for_every_row(state: str | None) -> None:
    assert not is_row_error(state)


def refusal(error: type[psycopg.Error], message: str) -> str:
    return refusal_sentence(error(message))


def test_the_sentence_is_one_short_line_that_begins_with_the_sqlstate() -> None:
    found = refusal(psycopg.errors.RaiseException, "no such\n  room " + "x" * 1000)
    assert found.startswith("P0001: no such room xxx")
    assert len(found) < 320


def test_the_value_that_a_conversion_quotes_is_left_out_and_a_triggers_own_words_are_not() -> None:
    wrong = 'invalid input syntax for type integer: "a@example.org"'
    assert refusal(psycopg.errors.InvalidTextRepresentation, wrong) == (
        "22P02: invalid input syntax for type integer"
    )
    for told in (
        "Syntax für Typ: \xbba@b.c\xab",
        "du type : \xab a@b.c \xbb",
        "语法\uff1a\u201ca@b.c\u201d",
    ):
        assert "a@b.c" not in refusal(psycopg.errors.InvalidTextRepresentation, told)
    assert refusal(psycopg.errors.RaiseException, 'sold: "x"') == 'P0001: sold: "x"'


def failed(state: str) -> DBAPIError:
    """What SQLAlchemy raises for this SQLSTATE."""
    return DBAPIError("a statement", {}, psycopg.errors.lookup(state)())


@pytest.mark.parametrize("state", ["40P01", "40001", "55P03"])
def test_the_same_batch_is_tried_again_while_others_are_in_the_way(state: str) -> None:
    assert is_worth_retrying(failed(state), 7)


def test_the_same_batch_is_tried_again_while_the_database_is_away() -> None:
    assert is_worth_retrying(DatabaseUnavailableError("away"), 7)


def test_a_row_that_has_gone_is_given_one_new_snapshot() -> None:
    assert is_worth_retrying(failed("23503"), 1)
    assert not is_worth_retrying(failed("23503"), 2)


def test_a_statement_that_timed_out_is_tried_once_more_before_it_gets_fewer_rows() -> None:
    assert is_worth_retrying(failed("57014"), 1)
    assert not is_worth_retrying(failed("57014"), 2)


@pytest.mark.parametrize(
    "error", [failed("23514"), failed("42P01"), LeaseLostError("gone"), RunHeld("paused")]
)
def test_what_a_wait_does_not_mend_is_not_tried_again(error: Exception) -> None:
    assert not is_worth_retrying(error, 1)
