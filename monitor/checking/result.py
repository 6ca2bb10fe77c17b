"""What one run of a check brings, in the one shape that every check has."""

from __future__ import annotations

from dataclasses import dataclass

from checks.judgement import Measurement, Outcome


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The verdict on one check."""

    name: str
    outcome: Outcome
    measurement: Measurement | None
    """None where it could not be evaluated."""
    error: str | None
    """Why it could not be evaluated."""
    seconds: float | None
    """Spent reading; None of an expectation, whose suite has them."""

    @classmethod
    def failed(cls, name: str, error: str, seconds: float | None) -> CheckResult:
        """It could not be evaluated."""
        return cls(name, Outcome.ERROR, None, error, seconds)
