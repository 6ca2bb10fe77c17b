"""The breaker's judgement: pure functions from what was counted to a reason to stop, or none.

It is kept in the database (`monitor/policy/breaker_store.py`) and stays open until a person has
looked. docs/breaker.md draws its states.
"""

from __future__ import annotations

from datetime import UTC, datetime

from checks.census import Census
from monitor.deadlines import LOOK_BACK
from monitor.policy.decision import Code, Decision, Verdict, open_refusal, ways_on
from monitor.policy.inputs import PolicyInput, PolicySettings
from monitor.state.control import Control

ACCEPTED_GROWTH = 1.1
"""An accepted share may grow so much: artworks go on ageing until the heal has caught up."""


def tripping(inputs: PolicyInput, settings: PolicySettings) -> Decision | None:
    """Why the breaker opens now; None where it is open already, or nothing is known.

    A loss goes first: it makes the share rise, too.
    """
    if not inputs.counted or inputs.control.breaker_open:
        return None
    return (
        _lost(inputs, settings)
        or _share_too_high(inputs.censuses[0], inputs.control, settings, inputs.suspicion)
        or _stuck(inputs, settings)
    )


def breaker_refusal(
    census: Census, control: Control, settings: PolicySettings, suspicion: str = ""
) -> Decision | None:
    """Why the breaker lets no run start from this census; None where it does. `suspicion`: what is
    suspected of the counts, if anything."""
    return open_refusal(control, suspicion) or _share_too_high(census, control, settings, suspicion)


def _refusal(code: Code, cause: str, suspicion: str) -> Decision:
    return Decision(Verdict.REFUSED, code, f"{cause} {ways_on(code, suspicion)}", cause=cause)


def _lost(inputs: PolicyInput, settings: PolicySettings) -> Decision | None:
    limit = settings.max_tracked_drop
    loss = inputs.loss
    if loss is not None and loss.share > limit:
        return _refusal(
            Code.LOSS,
            f"At least {loss.lost} of {loss.expected} impressions ({loss.share:.1%}) have vanished"
            f" since {_minute(loss.since)} although their artworks and users are still there;"
            f" healing.breaker.max_tracked_drop is {limit:.1%}. Healing would put made-up"
            " impressions in their place: restore them first, if you can.",
            inputs.suspicion,
        )
    if inputs.censuses[0].audience == 0 and inputs.most_audience > 0 and limit < 1:
        return _refusal(
            Code.LOSS,
            f"The audience fell from {inputs.most_audience} users to none within"
            f" {LOOK_BACK.total_seconds() / 3600:.0f} hours: the impressions or the users were"
            " emptied, or catalog.users lets nobody in.",
            inputs.suspicion,
        )
    return None


def _share_too_high(
    census: Census, control: Control, settings: PolicySettings, suspicion: str
) -> Decision | None:
    """Whether so much is legacy that the count or the data must be wrong."""
    limit, accepted = settings.max_share, control.accepted_share
    if census.legacy_share <= limit:
        return None
    if accepted is not None and census.legacy_share <= accepted * ACCEPTED_GROWTH:
        return None
    return _refusal(
        Code.MAX_SHARE,
        f"{census.legacy_untracked} of {census.pairs} pairs ({census.legacy_share:.1%}) are"
        f" legacy-untracked, healing.breaker.max_share is {limit:.1%}: the data or the"
        " configuration may be wrong.",
        suspicion,
    )


def _stuck(inputs: PolicyInput, settings: PolicySettings) -> Decision | None:
    last = inputs.last_runs[: settings.stuck_after]
    legacy = inputs.censuses[0].legacy_untracked
    if legacy == 0 or len(last) < settings.stuck_after:
        return None
    # After the newest run by the newest census, after each other by what the next one found.
    counted_next = (legacy, *(run.legacy_before for run in last))
    if any(run.reduced(left) for run, left in zip(last, counted_next, strict=False)):
        return None
    runs = ", ".join(str(run.id) for run in reversed(last))
    return _refusal(
        Code.STUCK,
        f"The last {len(last)} heal runs ({runs}) ended without leaving less than they found, and"
        f" {legacy} pairs are legacy-untracked: what is written does not"
        " stay, or can't be written; `conservator runs` says how each of them ended.",
        inputs.suspicion,
    )


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
