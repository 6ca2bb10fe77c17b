"""The check `structure`: `doctor` by the clock, so that an index dropped at night is noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.doctor.findings import Blocks, Examination, Severity
from checks.judgement import Measurement, Outcome, Thresholds
from checks.relations import Catalogue
from monitor.checking.definition import NONE_AT_ALL, CheckDefinition, Confirm, facts
from monitor.config import Settings
from monitor.runtime import finding_sentence, inspect_catalogue, require_catalogue

STRUCTURE = "structure"

OnRead = Callable[[Examination, Catalogue], None]
"""Takes the catalogue as it has just been read."""


def structure_check(settings: Settings, engine: AsyncEngine, on_read: OnRead) -> CheckDefinition:
    """The check; every process reads the catalogue, because whoever leads next works by it."""

    async def measure(_: timedelta, __: Confirm | None) -> tuple[Measurement, ...]:
        examination = await inspect_catalogue(engine, settings)
        on_read(
            examination, examination.catalogue or require_catalogue(examination, Blocks.COUNTING)
        )
        return (structure_measurement(examination),)

    check = settings.checks.structure
    shown = facts(check, Thresholds(warn=NONE_AT_ALL))
    return CheckDefinition(
        STRUCTURE,
        check,
        measure,
        facts=replace(shown, fail="an error"),
        core=True,
        everywhere=True,
    )


def structure_measurement(examination: Examination) -> Measurement:
    """What an examination says, judged: it fails for errors, and warns for other findings."""
    findings = [one for one in examination.findings if one.severity is not Severity.ADVICE]
    errors = sum(one.severity is Severity.ERROR for one in findings)
    message = " ".join(finding_sentence(one) for one in findings[:3])
    return Measurement(
        value=len(findings),
        message=message or "The tables are as they should be.",
        numbers={"errors": errors, "warnings": len(findings) - errors},
        evidence=tuple({"finding": one.code, "subject": one.subject} for one in findings),
        outcome=Outcome.FAIL if errors else Outcome.WARN if findings else Outcome.PASS,
    )
