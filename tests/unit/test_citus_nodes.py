"""What the coordinator says of its nodes: which of it is only a matter of waiting."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors
from psycopg.pq import DiagnosticField

from checks.errors import DatabaseUnavailableError, StatementError
from monitor.database_errors import translate
from monitor.healing.sqlstates import is_worth_retrying, refusal_sentence
from tests.support.lost_nodes import LOST, NODE, TOO_LARGE
from tests.support.protocol import ErrorTold


def raised(told: ErrorTold) -> psycopg.Error:
    """As the driver raises it."""
    fields = {
        DiagnosticField.SQLSTATE: told.sqlstate.encode(),
        DiagnosticField.MESSAGE_PRIMARY: told.message.encode(),
        DiagnosticField.CONTEXT: told.context.encode() or None,
    }
    kind = errors.lookup(told.sqlstate)
    return kind(told.message, info=fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("told", LOST, ids=lambda one: f"{one.sqlstate} {one.message[:40]}")
def test_a_lost_node_is_a_database_that_can_not_be_used_and_is_named(told: ErrorTold) -> None:
    error = translate(raised(told))
    assert isinstance(error, DatabaseUnavailableError)
    assert str(error).startswith(f"A node of the cluster ({NODE}) can't be used: ")
    assert "database.url" not in str(error)
    assert "\n" not in str(error)
    assert is_worth_retrying(error, 7)


def test_a_lost_node_that_is_not_told_by_name_is_a_node_all_the_same() -> None:
    error = translate(raised(ErrorTold("XX000", "SSL SYSCALL error: EOF detected")))
    assert isinstance(error, DatabaseUnavailableError)
    assert str(error).startswith("A node of the cluster can't be used: ")


@pytest.mark.parametrize(
    "told",
    [
        TOO_LARGE,
        ErrorTold("XX000", "cache lookup failed for relation 16390"),
        ErrorTold("XX000", "could not find a plan", f"while executing command on {NODE}"),
        ErrorTold("XX001", "EOF detected"),
        ErrorTold("P0001", f"connection to the remote node u@{NODE} failed"),
        ErrorTold("42P01", 'relation "seen" does not exist', f"while executing command on {NODE}"),
    ],
)
def test_nothing_else_is_waited_for(told: ErrorTold) -> None:
    error = translate(raised(told))
    assert isinstance(error, StatementError)
    assert not is_worth_retrying(error, 1)


def test_without_a_cluster_nothing_is_said_of_nodes() -> None:
    shutdown = ErrorTold("57P01", "terminating connection due to administrator command")
    idle = ErrorTold("25P03", "terminating connection due to idle-in-transaction timeout")
    for told in (shutdown, idle):
        error = translate(raised(told))
        assert isinstance(error, DatabaseUnavailableError)
        assert str(error).startswith("The database can't be used")


def test_one_cause_has_one_wording_in_whatever_shard_it_is() -> None:
    said = 'null value in column "wing" of relation "looks_{0}" violates constraint "looks_{0}"'
    sentences = {
        refusal_sentence(
            raised(ErrorTold("23502", said.format(shard), f"while executing command on {NODE}"))
        )
        for shard in (102014, 102015, 1020160)
    }
    assert sentences == {
        '23502: null value in column "wing" of relation "looks" violates constraint "looks"'
    }
    # Elsewhere a name may end so by itself.
    own = ErrorTold("23502", said.format(202401))
    assert "looks_202401" in refusal_sentence(raised(own))
