"""The figures of a whole form."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.cases import Outcome
from tests.chaos.faults import Fault


@dataclass
class Tally:
    """Sums over all cases."""

    faults: Counter[Fault] = field(default_factory=Counter)
    cases: int = 0
    batches: int = 0
    rows: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)
    """Sentences, each with the case that it is about."""
    left_out: int = 0
    """Cases for which the time did not suffice."""
    seconds: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """One more case."""
        found = outcome.findings
        self.cases += 1
        self.faults.update(outcome.faults)
        self.rows += found.rows
        self.batches += found.batches
        self.lost += found.lost
        self.doubled += found.doubled
        self.wrong += [f"{outcome.name}: {sentence}" for sentence in found.wrong]
        if found.lost or found.doubled:
            self.wrong.append(f"{outcome.name}: {found.lost} lost, {found.doubled} doubled")

    def merge(self, other: Tally) -> None:
        """The sums of both."""
        self.faults.update(other.faults)
        self.wrong += other.wrong
        for name in ("cases", "batches", "rows", "lost", "doubled", "left_out", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def is_clean(self) -> bool:
        """Everything was looked at and is as it should be."""
        return not (self.lost or self.doubled or self.wrong or self.left_out)

    def lines(self) -> list[str]:
        """For people."""
        kinds = ", ".join(f"{fault} {count}" for fault, count in sorted(self.faults.items()))
        figures = [
            ("cases", f"{self.cases}" + (f", {self.left_out} left out" if self.left_out else "")),
            ("faults injected", f"{self.faults.total()} ({kinds})"),
            ("batches", f"{self.batches:,}"),
            ("rows checked", f"{self.rows:,}"),
            ("rows lost", f"{self.lost}"),
            ("rows doubled", f"{self.doubled}"),
            ("anything else wrong", f"{len(self.wrong)}"),
            ("seconds", f"{self.seconds:.0f}"),
        ]
        width = max(len(name) for name, _ in figures)
        return [*self.wrong[:20], *(f"{name:{width}}  {value}" for name, value in figures)]
