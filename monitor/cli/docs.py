"""`docs`: the report of the last validation of each suite, as HTML."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping, Sequence
from datetime import UTC
from html import escape
from pathlib import Path
from typing import Annotated, Any

import typer

from checks.errors import ConfigurationError, ConservatorError
from monitor.checking.expectations.worker import WorkerPool, render
from monitor.cli import signals
from monitor.cli.output import console
from monitor.cli.session import run_on_state
from monitor.deadlines import WORKER_START_SECONDS
from monitor.state.checks import Validation, read_validations

DEFAULT_FOLDER = Path("conservator-docs")
INDEX = "index.html"
_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}"
    "td,th{padding:.3rem 1rem .3rem 0;text-align:left}"
)


def docs(
    context: typer.Context,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder to write to; made where it is not.")
    ] = DEFAULT_FOLDER,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write the report of the last validation of every suite of expectations, as HTML.

    Example: conservator docs --out report --open
    """
    validations = run_on_state(context, read_validations)
    if not validations:
        raise ConservatorError(
            "There is no report: no suite under checks.expectations was validated yet. `conservator"
            " serve` validates each when it is due."
        )
    write_report(out, validations, signals.run(_rendered(validations)))
    index = (out / INDEX).absolute()
    count = f"{len(validations)} suites" if len(validations) > 1 else "1 suite"
    console.print(f"The report of {count} is in {index}.", soft_wrap=True)
    if show and not webbrowser.open(index.as_uri()):
        console.print("No browser was found here: open it yourself.")


async def _rendered(validations: Sequence[Validation]) -> Mapping[str, str]:
    worker = WorkerPool()
    try:
        documents = {one.suite: one.document for one in validations}
        return await worker.run(render, documents, deadline_seconds=WORKER_START_SECONDS)
    finally:
        await worker.close()


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


def index_page(validations: Sequence[Validation]) -> str:
    """HTML: when each suite was validated last, and how it came out."""
    rows = "".join(
        f'<tr><td><a href="{escape(one.suite)}.html">{escape(one.suite)}</a></td>'
        f"<td>{escape(_verdict(one.document))}</td>"
        f"<td>{one.validated_at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}</td></tr>"
        for one in validations
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Expectations</title><style>{_STYLE}</style></head><body><h1>Expectations</h1>"
        "<table><tr><th>Suite</th><th>Met</th><th>Validated</th></tr>"
        f"{rows}</table></body></html>\n"
    )


def _verdict(document: Mapping[str, Any]) -> str:
    results = document.get("results") or []
    met = sum(bool(one.get("success")) for one in results)
    return f"{met} of {len(results)}"
