"""`docs`: the report of the last validation of each suite, as HTML."""

from __future__ import annotations

import asyncio
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from checks.errors import ConfigurationError, ConservatorError
from monitor.cli.output import console
from monitor.cli.session import read_state
from monitor.expectations.client import START_SECONDS, Worker
from monitor.expectations.messages import Render, Rendered
from monitor.expectations.report import INDEX, index_page
from monitor.state.validations import Validation, read_validations

DEFAULT_FOLDER = Path("conservator-docs")


def docs(
    context: typer.Context,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder to write to; made where it is not.")
    ] = DEFAULT_FOLDER,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write the report of the last validation of every suite of expectations, as HTML."""

    validations = read_state(context, read_validations)
    if not validations:
        raise ConservatorError(
            "There is no report: no suite under checks.expectations was validated yet. `conservator"
            " serve` validates each when it is due."
        )
    write_report(out, validations, asyncio.run(_rendered(validations)))
    index = (out / INDEX).absolute()
    count = f"{len(validations)} suites" if len(validations) > 1 else "1 suite"
    console.print(f"The report of {count} is in {index}.", soft_wrap=True)
    if show and not webbrowser.open(index.as_uri()):
        console.print("No browser was found here: open it yourself.")


async def _rendered(validations: Sequence[Validation]) -> Mapping[str, str]:
    worker = Worker()
    try:
        request = Render({one.suite: one.document for one in validations})
        answer = await worker.ask(request, deadline_seconds=START_SECONDS)
    finally:
        await worker.close()
    assert isinstance(answer, Rendered)
    return answer.pages


def write_report(out: Path, validations: Sequence[Validation], pages: Mapping[str, str]) -> None:
    """A page a suite, and one that links to them. Raises ConfigurationError where the folder can't
    be written to."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for one in validations:
            (out / f"{one.suite}.html").write_text(pages[one.suite], encoding="utf-8")
        (out / INDEX).write_text(index_page(validations), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"--out: expected a folder that can be written to, found {out} ({error.strerror}); name"
            " another."
        ) from error
