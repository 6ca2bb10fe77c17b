"""An assessment as the check's measurement: one number, one sentence, what it is made of."""

from __future__ import annotations

from datetime import timedelta

from checks.judgement import Measurement
from checks.recording_rate.assessment import Assessment, Finding

_MINUTE = timedelta(minutes=1).total_seconds()


def to_measurement(assessment: Assessment) -> Measurement:
    """The measurement: its value is the deviation, in robust deviations below the usual."""
    return Measurement(
        value=assessment.deviation,
        message=_sentence(assessment),
        numbers={
            "impressions": assessment.observed,
            "usual": round(assessment.expected, 1),
            "minutes": round(assessment.seconds / _MINUTE, 1),
            "weeks": assessment.weeks,
            "seeded": int(assessment.seeded),
            "level": round(assessment.day_factor, 2),
            "artworks_meanwhile": assessment.artworks,
        },
    )


def _sentence(found: Assessment) -> str:
    counted = (
        f"{found.observed} real impressions in {found.seconds / _MINUTE:.0f} minutes, usual at this"
        f" hour of the week: {found.expected:.0f}{_source(found)}"
    )
    match found.finding:
        case Finding.RESUMING:
            return "Not yet two samples in a row to judge: the next ones will do."
        case Finding.LEARNING:
            return (
                f"Learning: {found.weeks or 'no'} earlier {'week' if found.weeks == 1 else 'weeks'}"
                " known at this hour. Until there are two, only a complete stop can be told."
            )
        case Finding.TOO_QUIET:
            return f"{counted}. Too quiet to tell."
        case Finding.USUAL:
            return f"{counted}."
        case Finding.LOW:
            return f"{counted}. The app records fewer than it should."
        case Finding.SILENT:
            return f"{counted}. Nothing is recorded, and no artwork is created: is the app down?"
        case Finding.STOPPED:
            return (
                f"{counted}. Nothing is recorded, while {found.artworks} artworks were created:"
                " the recording of impressions is broken."
            )


def _source(found: Assessment) -> str:
    today = "" if found.day_factor == 1 else f", at {found.day_factor:.0%} as today is"
    seeded = ", partly read back from the table" if found.seeded else ""
    return f" ({found.weeks} weeks{today}{seeded})"
