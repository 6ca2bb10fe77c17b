"""`doctor`: what the real tables lack, and the statement that mends it."""

from __future__ import annotations

import typer
from rich.padding import Padding
from rich.text import Text

from checks.doctor.findings import Examination, Severity
from monitor.cli.output import console, print_json
from monitor.cli.session import AsJson, Session, run_session
from monitor.config import Settings
from monitor.runtime import census_form_sentence, inspect_catalogue

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.ADVICE: "cyan"}


def doctor(
    context: typer.Context,
    as_json: AsJson = False,
) -> int:
    """Read the catalogue and say what is missing, with the statement that mends it.

    Exit 1 when something would make a count wrong or a backfill fail, else 0.
    """

    async def work(session: Session) -> tuple[Examination, Settings]:
        return await inspect_catalogue(session.engine, session.settings), session.settings

    examination, settings = run_session(context, work)
    if as_json:
        print_json({"findings": examination.findings})
    else:
        _print(examination)
        if examination.catalogue is not None:
            console.print(f"Census: {census_form_sentence(examination.catalogue, settings)}.")
    return 1 if examination.blocking() else 0


def _print(examination: Examination) -> None:
    for finding in examination.findings:
        title = Text.assemble(
            (f"{finding.severity.value:8}", _STYLES[finding.severity]), (finding.subject, "bold")
        )
        console.print(title)
        console.print(Padding(Text(f"{finding.problem} {finding.consequence}"), (0, 0, 0, 8)))
        console.print(Padding(Text(finding.remedy, style="green"), (0, 0, 0, 8)))
    errors = len(examination.blocking())
    console.print(
        f"{errors} to mend before serving or healing, {len(examination.findings) - errors} other"
        " findings."
        if examination.findings
        else "The tables are as they should be."
    )
