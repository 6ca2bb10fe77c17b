"""The status page of a snapshot, as text and as what a reader sees of it."""

from __future__ import annotations

from html.parser import HTMLParser

from exporters.page.counts import chart
from exporters.page.runs import RunsRead
from exporters.page.views import History, PageContext, sections, status_page
from monitor.state.history import CensusPoint
from monitor.state.runs import Run
from monitor.status import Status

NOW = 1000.0
LATER = NOW + 181.0
"""When everything of `at_work` has become stale."""


def context(
    status: Status,
    now: float = NOW,
    *,
    observe: bool = False,
    may_act: bool = True,
    runs: tuple[Run, ...] = (),
    error: str | None = None,
) -> PageContext:
    return PageContext(status, now, observe, may_act, RunsRead(runs, error=error))


def page(shown: PageContext, points: tuple[CensusPoint, ...] = (), error: str | None = None) -> str:
    return status_page(shown, sections(shown), History("24h", chart(points), error))


def part(shown: PageContext, name: str) -> str:
    """The HTML of one section."""
    [html] = [one.html for one in sections(shown) if one.id == name]
    return html


def words(html: str) -> str:
    """What a reader sees, in one line."""
    return " ".join(Tags(html).text.split())


class Tags(HTMLParser):
    """The start tags of a document with their attributes, its text, and what was left open."""

    _VOID = frozenset({"meta", "link", "input", "br", "wbr"})
    _APART = frozenset({"p", "dt", "dd", "th", "td", "li", "br", "h1", "h2", "progress"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag in self._APART:
            self.text += " "
        if tag not in self._VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag in self._APART:
            self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data
