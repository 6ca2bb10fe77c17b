"""The short form: some of the boundaries, in all ways; `make chaos` strikes at every one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.program import WHOLE_USERS, Form, Program
from tests.chaos.repairs import REPAIRS, RepairCase
from tests.chaos.strangers import STRANGERS
from tests.support.commands import on_one_server
from tests.support.pgbouncer import bouncing
from tests.support.postgres import PostgresServer

pytestmark = on_one_server

Part = Callable[[Program], Awaitable[None]]


def case_of(name: str) -> RepairCase:
    """The repair of that name."""
    (case,) = [case for case in REPAIRS if case.name == name]
    return case


async def play(
    server: PostgresServer, part: Part, *, seed: int, behind: Path | None, sparse: int = 12
) -> None:
    """A part of the program, of which nothing may be wrong."""
    program = Program(server, Form(long=False, sparse=sparse, seed=seed, behind=behind))
    await part(program)
    tally = program.tally
    assert tally.is_clean, "\n".join(tally.lines())
    assert tally.faults.total() >= tally.cases
    assert tally.rows > 0


async def test_no_fault_during_a_heal_run_loses_or_doubles_a_row(server: PostgresServer) -> None:
    await play(server, Program.heal, seed=1, behind=None)


@pytest.mark.parametrize("name", WHOLE_USERS)
async def test_nor_does_one_where_batches_do_not_wait_for_each_other_or_for_an_answer(
    server: PostgresServer, name: str
) -> None:
    await play(server, partial(Program.heal_whole_users, name=name), seed=9, behind=None)


async def test_no_fault_during_an_undo_takes_too_much_or_too_little(server: PostgresServer) -> None:
    await play(server, Program.undo, seed=2, behind=None)


async def test_no_fault_among_writers_and_deleters_loses_or_doubles_a_row(
    server: PostgresServer,
) -> None:
    await play(server, Program.storms, seed=3, behind=None)


@pytest.mark.long
async def test_nor_does_one_where_rows_that_are_there_are_brought_to_count(
    server: PostgresServer,
) -> None:
    [case] = [case for case in STRANGERS if case.brought]
    await play(server, lambda program: program.stranger(case), seed=5, behind=None, sparse=40)


# The others are alike, and `make chaos` plays them all.
@pytest.mark.parametrize("name", ["delete_asked", "update_frozen", "insert_asked"])
@pytest.mark.long
async def test_no_fault_during_a_repair_loses_doubles_or_spoils_a_row(
    server: PostgresServer, name: str
) -> None:
    part = partial(Program.repair, case=case_of(name), undoes=False)
    await play(server, part, seed=6, behind=None, sparse=40)


@pytest.mark.long
async def test_no_fault_during_its_undo_gives_back_too_much_or_too_little(
    server: PostgresServer,
) -> None:
    part = partial(Program.repair, case=case_of("update_asked"), undoes=True)
    await play(server, part, seed=7, behind=None, sparse=40)


async def test_no_fault_during_a_repair_among_writers_does(server: PostgresServer) -> None:
    part = partial(Program.repair_storms, case=case_of("update_asked"))
    await play(server, part, seed=8, behind=None)


@pytest.mark.long
async def test_nor_does_one_through_pgbouncer_in_transaction_mode(server: PostgresServer) -> None:
    with bouncing(server) as bouncer:
        for part in (Program.heal, partial(Program.heal_whole_users, name="heal ahead")):
            await play(server, part, seed=4, behind=bouncer.directory, sparse=24)
