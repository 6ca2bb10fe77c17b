"""The status page with its sections, and the other pages, rendered from their templates.

Everything is escaped, and what a template doesn't get is an error.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

from checks.pairs import UserCensus
from exporters.page import formatting
from exporters.page.assets import address
from exporters.page.checks import CheckRow, check_rows, summarise
from exporters.page.counts import SPANS, Chart, counts_of
from exporters.page.healing import decision_view, switches
from exporters.page.repairs import RepairRow, repair_rows
from exporters.page.runs import RunShown, RunsRead, current_run, run_row, run_rows
from monitor.state.runs import Backfilled
from monitor.status import Status

if TYPE_CHECKING:
    from jinja2 import Environment

_ONLY = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
STATIC_POLICY = f"{_ONLY}; style-src 'self'; img-src 'self'; form-action 'none'"
"""Of a page without scripts."""
LIVE_POLICY = (
    f"{_ONLY}; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'"
)
"""Nothing inline, nothing from elsewhere."""
_FROM_THE_ROOT = re.compile(r'((?:href|src|action|data-(?:path|events|source))=")/')
"""Values are escaped: none of them holds a quotation mark."""
_RUNBOOK_NAME = re.compile(r"[A-Za-z]{1,80}")
_RUNBOOKS_OF_CHECKOUT = Path(__file__).parents[2] / "docs" / "runbooks"


@dataclass(frozen=True, slots=True)
class PageContext:
    """Everything that the status page shows, at one moment: the snapshot, when it is looked at, and
    what the database adds."""

    status: Status
    now: float
    """On the monotonic clock, as the snapshot's moments."""
    observe: bool
    """`healing.mode` is observe."""
    may_act: bool
    """An admin token is configured, so that buttons make sense."""
    history: RunsRead


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the status page that is replaced as a whole when it changes."""

    id: str
    version: str
    """Of its HTML: another one means that it changed."""
    html: str


@dataclass(frozen=True, slots=True)
class ChecksView:
    """The checks, and by check the repairs beside them."""

    checks: tuple[CheckRow, ...]
    repairs: Mapping[str, tuple[RepairRow, ...]]


def sections(context: PageContext) -> tuple[Section, ...]:
    """All of them, rendered, in the order in which a reader asks."""
    status, now, may_act = context.status, context.now, context.may_act
    shown: dict[str, object] = {
        "sentence": summarise(status, now),
        "counts": counts_of(status, now),
        "decision": decision_view(status, may_act=may_act),
        "run": current_run(status),
        "checks": ChecksView(check_rows(status, now), repair_rows(status, now, may_act=may_act)),
        "runs": run_rows(context.history.runs, may_act=may_act),
        "switches": switches(status, observe=context.observe, may_act=may_act),
    }
    return tuple(_section(name, view, context) for name, view in shown.items())


def _section(name: str, view: object, context: PageContext) -> Section:
    html = render(f"section_{name}", view=view, context=context)
    # No secret: the hash only tells one text from another.
    version = hashlib.blake2b(html.encode(), digest_size=6).hexdigest()
    return Section(name, version, html)


@dataclass(frozen=True, slots=True)
class History:
    """The chart of a page, over which span, and why it could not be read again."""

    span: str
    drawing: Chart | None
    error: str | None


def status_page(context: PageContext, parts: tuple[Section, ...], history: History) -> str:
    """The page at /."""
    return render(
        "status",
        context=context,
        summary=summarise(context.status, context.now),
        parts={part.id: part for part in parts},
        history=history,
        spans={key: words for key, (words, _) in SPANS.items()},
    )


def runs_page(seen: RunsRead, *, may_act: bool) -> str:
    """Earlier runs."""
    rows = run_rows(seen.runs, may_act=may_act)
    return render("runs", rows=rows, following=seen.following, may_act=may_act)


def run_page(shown: RunShown, *, may_act: bool) -> str:
    """One run with its batches."""
    row = run_row(shown.run, may_act=may_act)
    return render("run", folders=1, shown=shown, row=row, may_act=may_act)


def users_page() -> str:
    """Which user?"""
    return render("users")


def user_page(
    user_id: str,
    census: UserCensus,
    backfilled: Backfilled | None,
    *,
    suspicion: str,
    may_act: bool,
    folders: int,
) -> str:
    """One user: counts, what is suspected of them, whether and when backfilled."""
    # Whoever asks for it again means it.
    body = {"user_id": user_id} if backfilled is None else {"user_id": user_id, "force": True}
    return render(
        "user",
        folders=folders,
        user_id=user_id,
        census=census,
        backfilled=backfilled,
        suspicion=suspicion,
        may_act=may_act,
        body=json.dumps(body),
    )


def error_page(status: int, message: str, *, folders: int) -> str:
    """What went wrong, for whoever navigated there."""
    return render("error", folders=folders, status=status, message=message)


@lru_cache(maxsize=64)
def runbook_page(name: str) -> str | None:
    """The runbook of the alert `name`, from its Markdown; None where there is none."""
    if not _RUNBOOK_NAME.fullmatch(name):
        return None
    found = _runbooks().joinpath(f"{name}.md")
    if not found.is_file():
        return None
    # Loaded when the first runbook is asked for: nobody asks while all is well.
    from markdown_it import MarkdownIt  # noqa: PLC0415

    text = found.read_text(encoding="utf-8")
    body: str = MarkdownIt("commonmark", {"html": False}).render(text)
    # What scrolls must be reachable with the keyboard.
    return render("runbook", folders=1, name=name, body=body.replace("<pre>", '<pre tabindex="0">'))


def _runbooks() -> Traversable:
    """In the package where the program is installed, in docs/ of a checkout."""
    packaged = resources.files("exporters").joinpath("runbooks")
    return packaged if packaged.is_dir() else _RUNBOOKS_OF_CHECKOUT


@lru_cache(maxsize=1)
def _environment() -> Environment:
    # Loaded for the first page: commands and probes never need it.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    made = Environment(
        loader=PackageLoader("exporters.page", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        whole=formatting.whole,
        measured=formatting.measured,
        lasting=formatting.lasting,
        day_and_time=formatting.day_and_time,
        short_time=formatting.short_time,
        machine=formatting.machine,
        user_address=formatting.user_address,
    )
    made.globals.update(static=address)
    return made


def render(template: str, *, folders: int = 0, **values: object) -> str:
    """The template `template`.html with these values, on a page so many folders below the status
    page.

    Templates name addresses from the service's own root; a proxy may show that below any path, so
    what goes out leads there from the page.
    """
    text = _environment().get_template(f"{template}.html").render(values)
    return _FROM_THE_ROOT.sub(lambda match: match[1] + ("../" * folders or "./"), text)
