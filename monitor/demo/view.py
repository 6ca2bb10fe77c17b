"""The demo's terminal view: counts, decisions and runs, drawn from the status snapshot."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from checks.census import Census
from monitor.status import Status

_BARS = "▁▂▃▄▅▆▇█"
_COLOURS = {
    "tracked": "green",
    "fresh": "cyan",
    "storage": "blue",
    "legacy_untracked": "bold red",
}
_MEANING = {
    "tracked": "seen, and recorded",
    "fresh": "new, not seen yet",
    "storage": "not seen yet, rightly still offered",
    "legacy_untracked": "comes round again for ever",
}


@dataclass(slots=True)
class Story:
    """What has happened so far, for the view: counts over time and one line an event."""

    legacy: deque[int] = field(default_factory=lambda: deque(maxlen=60))
    events: deque[tuple[datetime, str]] = field(default_factory=lambda: deque(maxlen=12))
    first: Census | None = None
    _census_at: datetime | None = None
    _code: str | None = None
    _run: int | None = None

    def look(self, status: Status) -> Sequence[str]:
        """Take in a snapshot; the events that are new, as sentences."""
        new: list[str] = []
        census = status.census
        if census is not None and census.as_of != self._census_at:
            self._census_at = census.as_of
            self.legacy.append(census.legacy_untracked)
            if self.first is None:
                self.first = census
                new.append(
                    f"first census: {census.legacy_untracked:,} of {census.pairs:,} pairs are"
                    " legacy-untracked"
                )
        run = status.progress.run.id if status.progress is not None else None
        if run is not None and run != self._run:
            self._run = run
            assert status.progress is not None
            new.append(f"run {run} heals {status.progress.run.planned_rows:,} pairs")
        decision = status.decision
        if decision is not None and decision.code.value != self._code:
            self._code = decision.code.value
            new.append(f"{decision.kind.value}: {decision.reason}")
        now = datetime.now(UTC)
        self.events.extend((now, sentence) for sentence in new)
        return new


def sparkline(values: Sequence[int]) -> str:
    """A line of block characters, the highest for the greatest value."""
    top = max(values, default=0)
    if top == 0:
        return _BARS[0] * len(values)
    return "".join(_BARS[round(value / top * (len(_BARS) - 1))] for value in values)


def draw(status: Status, story: Story, *, address: str, visitors: str) -> RenderableType:
    """The whole view."""
    parts: list[RenderableType] = [
        _counts(status, story),
        _legacy_line(story),
        Text(visitors, "dim"),
    ]
    if status.progress is not None:
        parts.append(_progress(status))
    if status.decision is not None:
        parts.append(
            Text.assemble(
                ("decision  ", "bold"), f"{status.decision.kind.value}: {status.decision.reason}"
            )
        )
    parts.extend((Text(), _events(story)))
    title = f"conservator demo · {address}"
    return Panel(Group(*parts), title=title, subtitle="Ctrl-C ends it and leaves nothing behind")


def _counts(status: Status, story: Story) -> Table:
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("pairs")
    shown.add_column("at first", justify="right")
    shown.add_column("now", justify="right")
    shown.add_column("")
    for state, colour in _COLOURS.items():
        shown.add_row(
            Text(state, colour),
            Text(_count(story.first, state), "dim"),
            Text(_count(status.census, state), colour),
            Text(_MEANING[state], "dim"),
        )
    return shown


def _count(census: Census | None, state: str) -> str:
    return "–" if census is None else f"{getattr(census, state):,}"


def _legacy_line(story: Story) -> Text:
    return Text.assemble(("legacy over time  ", "bold"), (sparkline(tuple(story.legacy)), "red"))


def _progress(status: Status) -> RenderableType:
    progress = status.progress
    assert progress is not None
    grid = Table.grid(padding=(0, 1))
    grid.add_row(
        Text(f"run {progress.run.id}", "bold"),
        ProgressBar(total=max(1, progress.run.planned_rows), completed=progress.inserted, width=40),
        f"{progress.inserted:,} of {progress.run.planned_rows:,},"
        f" {progress.rows_per_second:,.0f} rows/s, batches of {progress.size}",
    )
    return grid


def _events(story: Story) -> Table:
    grid = Table.grid(padding=(0, 2))
    for moment, sentence in story.events:
        grid.add_row(Text(f"{moment:%H:%M:%S}", "dim"), Text(sentence))
    return grid
