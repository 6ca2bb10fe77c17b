"""No gallery in which everybody may be shown everything is suspected, and every other one is."""

from __future__ import annotations

import pytest

from tests.fuzz.suspicions import Suspected, some_galleries, suspect
from tests.integration.doctor_help import Patient

HARMLESS, SUSPECT = 5, 1


async def _suspect(url: str) -> Suspected:
    return await suspect(Patient(url), some_galleries(1, harmless=HARMLESS, suspect=SUSPECT))


async def test_only_what_is_not_as_it_seems_is_suspected(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = await _suspect(database_url)
    assert found.wrong == []
    assert found.galleries == HARMLESS + 2 * SUSPECT
    with capsys.disabled():
        print(found)  # noqa: T201


async def test_a_doctor_that_suspects_everybody_or_nobody_is_found_out(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checks.doctor.pair_evidence._HARDLY_ANY", 2)
    assert any("open_" in sentence for sentence in (await _suspect(database_url)).wrong)
    monkeypatch.setattr("checks.doctor.pair_evidence._HARDLY_ANY", -1)
    assert len((await _suspect(database_url)).wrong) == SUSPECT
