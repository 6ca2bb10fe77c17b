"""Every stranger's gallery by every document that says what it is: counted, healed and taken back
exactly, by a role that may do what `init --print-sql` grants and nothing more, and by the tables'
owner. `make galleries` tries both on every server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.acceptance import accept
from tests.support.acceptance_cases import ACCEPTANCE_CASES, AcceptanceCase
from tests.support.commands import on_one_server
from tests.support.postgres import PostgresServer
from tests.support.servers import server_kinds
from tests.support.stranger_galleries import NAMES, documents

every_case = pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=[pytest.mark.long] if case.number > 1 else [])
        for case in ACCEPTANCE_CASES
    ],
)


@on_one_server
@every_case
def test_a_gallery_that_is_configured_right_is_counted_healed_and_given_back(
    server: PostgresServer, case: AcceptanceCase, tmp_path: Path
) -> None:
    found = accept(server, case, tmp_path, owner=False)
    assert not found.amiss, "\n".join(found.amiss)


@pytest.mark.parametrize("server", server_kinds()[1:], indirect=True, ids=lambda kind: kind.name)
@every_case
def test_so_it_is_by_the_owner_of_the_tables_on_another_server(
    server: PostgresServer, case: AcceptanceCase, tmp_path: Path
) -> None:
    found = accept(server, case, tmp_path, owner=True)
    assert not found.amiss, "\n".join(found.amiss)


def test_every_document_of_every_gallery_is_tried() -> None:
    every = [(name, n) for name in NAMES for n in range(1, len(documents(name)) + 1)]
    assert [(case.gallery, case.number) for case in ACCEPTANCE_CASES] == every
