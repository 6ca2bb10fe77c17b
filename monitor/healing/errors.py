"""Why no run begins, and why one stops before its end, with the sentences for people."""

from __future__ import annotations

from checks.errors import RefusedError, StatementError
from monitor.policy.decision import BREAKER_CODES, Code, Decision, Verdict
from monitor.state.runs import Run, RunKind


class ActiveRunError(RefusedError):
    """A heal run is active already."""

    code = "active_run"


class PausedError(RefusedError):
    """Somebody has paused everything that writes."""

    code = "paused"


class SuspendedError(RefusedError):
    """What was to start by itself was suspended since that was decided."""


class HealRefusedError(RefusedError):
    """The policy refuses, because of the breaker or of the tables; `decision` says why."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.reason)
        self.code = "breaker_open" if decision.code in BREAKER_CODES else "healing_blocked"
        self.decision = decision


class RepairRefusedError(RefusedError):
    """A breaker refuses a repair, its own or healing's; or there is no such repair any more."""

    code = "repair_refused"


class RepairBreakerError(RepairRefusedError):
    """The repair's own breaker refuses; `decision` says why, and opens it."""

    code = "breaker_open"

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.reason)
        self.decision = decision


class SequenceShortError(HealRefusedError):
    """The plan would use up too much of a sequence that the app draws from; no breaker's matter."""

    code = "sequence_short"

    def __init__(self, sentence: str) -> None:
        super().__init__(Decision(Verdict.REFUSED, Code.SEQUENCE, sentence))


class OutOfTurnError(RefusedError):
    """A batch that was written at the same time as another one can't be committed behind it."""


class NotUndoableError(RefusedError):
    """This run, or any run on these tables, can't be taken back."""

    code = "not_undoable"


class RunHeldError(RefusedError):
    """The run that was asked for was put down before its end; a later call goes on."""

    code = "held"


class LeaseLostError(RefusedError):
    """Another process has taken the run over, or it has ended; nothing was written."""

    code = "lease_lost"


class TableRefusesError(StatementError):
    """Nothing that a run tried could be written: looking for single pairs would take days."""


class TriggersInterfereError(StatementError):
    """The app's triggers made something else of a batch than was inserted: it is taken back."""


class RowsDoNotCountError(StatementError):
    """What a batch wrote is no impression by the configuration's own words: it is taken back, or it
    would be written for ever."""


class RunHeld(Exception):  # noqa: N818 - not a failure: how a batch tells the executor to stop
    """The run is to be put down where it is: paused, outside the window, or told to stop."""


def lease_lost(run: Run) -> LeaseLostError:
    """This process believes to hold the run, and does not."""
    return LeaseLostError(
        f"Run {run.id} is no longer held by this process: it was taken over or ended."
    )


def paused_sentence(reason: str) -> str:
    """Why nothing is written while paused."""
    return f"Paused: {reason or 'no reason given'}. `conservator resume` ends the pause."


TYPES_CHANGED = (
    "The application's columns have other types than when they were read, or the service's own"
    " tables have not followed them: `conservator doctor` says which, `conservator init` mends"
    " ours. Nothing was written."
)
"""Why nothing is written or taken back after such a change; a service reads the types anew with
every check of the structure."""


def breaker_sentence(reason: str) -> str:
    """Why no heal run goes on while the breaker is open."""
    return f"The breaker is open: {reason}"


def active_sentence(run: Run) -> str:
    """Why no other run begins beside the active one."""
    where = f"{run.inserted} of {run.planned_rows} rows"
    if run.kind is RunKind.UNDO:
        return unfinished_undo_sentence(run)
    if run.repair is not None and run.claimable:
        return (
            f"Run {run.id} of repair {run.repair} was put down at {where} and has to be finished"
            f" first, with `conservator repair {run.repair}`: {run.outcome}"
        )
    if run.claimable:
        return f"Run {run.id} was put down at {where} and has to be finished first: {run.outcome}"
    return f"Run {run.id} is active at {where}, held by {run.holder}."


def unfinished_undo_sentence(undo: Run) -> str:
    """Why nothing begins before an undo has come to its end."""
    return (
        f"Run {undo.id} takes run {undo.undoes} back, at {undo.inserted} of {undo.planned_rows}"
        f" rows, and has to be finished first: `conservator undo {undo.undoes}` goes on with it."
    )
