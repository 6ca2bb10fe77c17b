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
from monitor.healing.executor import Progress
from monitor.state.counters import REPAIR_ROWS
from monitor.state.runs import Run
from monitor.status import Status

_BARS = "▁▂▃▄▅▆▇█"
_STATES = {
    "tracked": ("green", "seen, and recorded"),
    "fresh": ("cyan", "new, not seen yet"),
    "storage": ("blue", "not seen yet, rightly still offered"),
    "legacy_untracked": ("bold red", "comes round again for ever"),
}
"""The colour of each, and what it means."""


@dataclass(slots=True)
class Story:
    """What has happened so far, for the view: counts over time and one line an event."""

    legacy: deque[int] = field(default_factory=lambda: deque(maxlen=60))
    events: deque[tuple[datetime, str]] = field(default_factory=lambda: deque(maxlen=12))
    first: Census | None = None
    _census_at: datetime | None = None
    _code: str | None = None
    _run: int | None = None
    _repairs: dict[str, str] = field(default_factory=dict)
    _mended: dict[str, float] = field(default_factory=dict)

    def look(self, status: Status) -> Sequence[str]:
        """Take in a snapshot; the events that are new, as sentences."""
        new: list[str] = []
        census, progress, decision = status.census, status.progress, status.decision
        if census is not None and census.as_of != self._census_at:
            self._census_at = census.as_of
            self.legacy.append(census.legacy_untracked)
            if self.first is None:
                self.first = census
                new.append(
                    f"first census: {census.legacy_untracked:,} of {census.pairs:,} pairs are"
                    " legacy-untracked"
                )
        if progress is not None and progress.run.id != self._run:
            self._run = progress.run.id
            new.append(_begun(progress.run))
        if decision is not None and decision.code.value != self._code:
            self._code = decision.code.value
            new.append(f"{decision.kind.value}: {decision.reason}")
        for repair in status.repairs.values():
            mended = status.counters.get((REPAIR_ROWS, repair.name), 0.0)
            if mended > self._mended.get(repair.name, 0.0):
                self._mended[repair.name] = mended
                new.append(
                    f"run {repair.newest_run} has mended for {repair.name}: {mended:,.0f} rows by"
                    " now; Undo… beside its check gives them back"
                )
            judged = repair.decision
            if judged is not None and judged.code.value != self._repairs.get(repair.name):
                self._repairs[repair.name] = judged.code.value
                new.append(f"repair {repair.name}: {judged.kind.value}: {judged.reason}")
        now = datetime.now(UTC)
        self.events.extend((now, sentence) for sentence in new)
        return new


def _begun(run: Run) -> str:
    rows = f"{run.planned_rows:,}"
    if run.undoes is not None:
        return f"run {run.id} takes run {run.undoes} back: {rows} rows"
    if run.repair is not None:
        return f"run {run.id} mends {run.repair}: {rows} rows"
    return f"run {run.id} heals {rows} pairs"


def draw(status: Status, story: Story, *, address: str, visitors: str) -> RenderableType:
    """The whole view."""
    parts: list[RenderableType] = [
        _counts(story.first, status.census),
        Text.assemble(("legacy over time  ", "bold"), (_sparkline(story.legacy), "red")),
        Text(visitors, "dim"),
    ]
    if status.progress is not None:
        parts.append(_progress(status.progress))
    if status.decision is not None:
        decision = f"{status.decision.kind.value}: {status.decision.reason}"
        parts.append(Text.assemble(("decision  ", "bold"), decision))
    for repair in status.repairs.values():
        if repair.decision is not None:
            judged = f"{repair.decision.kind.value}: {repair.decision.reason}"
            parts.append(Text.assemble((f"repair {repair.name}  ", "bold"), judged))
    events = Table.grid(padding=(0, 2))
    for moment, sentence in story.events:
        events.add_row(Text(f"{moment:%H:%M:%S}", "dim"), Text(sentence))
    parts.extend((Text(), events))
    title = f"conservator demo · {address}"
    return Panel(Group(*parts), title=title, subtitle="Ctrl-C ends it and leaves nothing behind")


def _counts(first: Census | None, now: Census | None) -> Table:
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("pairs")
    shown.add_column("at first", justify="right")
    shown.add_column("now", justify="right")
    shown.add_column("")
    for state, (colour, meaning) in _STATES.items():
        before, after = (
            "–" if census is None else f"{getattr(census, state):,}" for census in (first, now)
        )
        shown.add_row(
            Text(state, colour), Text(before, "dim"), Text(after, colour), Text(meaning, "dim")
        )
    return shown


def _sparkline(values: Sequence[int]) -> str:
    """A line of block characters, the highest for the greatest value."""
    top = max(values, default=0) or 1
    return "".join(_BARS[round(value / top * (len(_BARS) - 1))] for value in values)


def _progress(progress: Progress) -> RenderableType:
    planned = progress.run.planned_rows
    grid = Table.grid(padding=(0, 1))
    grid.add_row(
        Text(f"run {progress.run.id}", "bold"),
        ProgressBar(total=max(1, planned), completed=progress.inserted, width=40),
        f"{progress.inserted:,} of {planned:,},"
        f" {progress.rows_per_second:,.0f} rows/s, batches of {progress.size}",
    )
    return grid
