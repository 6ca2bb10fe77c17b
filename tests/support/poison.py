"""Pairs that the app's database refuses to take, in the ways in which databases refuse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from monitor.healing.executor import RunResult
from monitor.runtime import Runtime
from monitor.state.runs import Run, Trigger
from tests.support.app import App
from tests.support.healing import UNLIMITED, working

Pair = tuple[str, str]
"""User, artwork."""

# Runs with its owner's rights, because healing may not read the list.
_TRIGGER = """
CREATE TABLE poison (user_id text, artwork_id text);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF EXISTS (SELECT FROM public.poison AS p
               WHERE p.user_id = NEW.user_id AND p.artwork_id = NEW.artwork_id)
    THEN {statement};
    END IF;
    RETURN NEW;
END $$;
CREATE {kind} ON user_art_impressions {when} FOR EACH ROW EXECUTE FUNCTION refuse();
"""


@dataclass(frozen=True)
class Poison:
    """A way to refuse, and the SQLSTATE that it ends in."""

    name: str
    state: str
    statement: str
    deferred: bool = False

    async def build(self, app: App, pairs: Iterable[Pair]) -> None:
        """From here on these pairs can't be written."""
        kind = "CONSTRAINT TRIGGER refuse AFTER INSERT" if self.deferred else ""
        await app.run(
            _TRIGGER.format(
                statement=self.statement,
                kind=kind or "TRIGGER refuse BEFORE INSERT",
                when="DEFERRABLE INITIALLY DEFERRED" if self.deferred else "",
            )
        )
        for user, artwork in pairs:
            await app.run("INSERT INTO poison VALUES (%(u)s, %(a)s)", u=user, a=artwork)


THREE: tuple[Pair, ...] = (("u0002", "old0003"), ("u0002", "old0004"), ("u0004", "old0001"))
"""Of a gallery with at least four users and artworks."""
RAISED = Poison("raised by a trigger", "P0001", "RAISE EXCEPTION 'no % here', NEW.artwork_id")
POISONS = (
    RAISED,
    Poison("raised with a code of the app's own", "SD001", "RAISE 'sold' USING ERRCODE = 'SD001'"),
    Poison("a division by zero", "22012", "PERFORM 1 / 0"),
    Poison("a conversion", "22P02", "PERFORM NEW.artwork_id::int"),
    Poison("a reference to nothing", "23503", "RAISE foreign_key_violation"),
    Poison("at the commit", "23514", "RAISE check_violation", deferred=True),
)


async def quarantined(app: App) -> dict[Pair, tuple[Any, ...]]:
    """Pair -> (attempts, error)."""
    rows = await app.rows("SELECT user_id, artwork_id, attempts, error FROM conservator.quarantine")
    return {(user, artwork): tuple(rest) for user, artwork, *rest in rows}


async def missing(app: App) -> set[Pair]:
    """The pairs of users with any impression and old artworks that have none."""
    rows = await app.rows(
        "SELECT u.id, a.id FROM users AS u CROSS JOIN art_sessions AS a"
        " WHERE a.created_at <= timezone('UTC', now()) - interval '7 days'"
        " AND EXISTS (SELECT FROM user_art_impressions AS i WHERE i.user_id = u.id)"
        " AND NOT EXISTS (SELECT FROM user_art_impressions AS i"
        "   WHERE i.user_id = u.id AND i.artwork_id = a.id)"
    )
    return {(user, artwork) for user, artwork in rows}


async def a_day_passes(app: App) -> None:
    """What is in quarantine is due."""
    await app.run("UPDATE conservator.quarantine SET retry_at = retry_at - interval '1 day'")


async def scheduled(runtime: Runtime, *, max_rows: int = UNLIMITED) -> Run | None:
    """A run as the loop would plan it; None where there is nothing for it to do."""
    planned = await runtime.planner.plan_audience(
        runtime.run_owner(Trigger.SCHEDULE),
        reason="a test",
        max_rows=max_rows,
        guard=lambda _census, _control: None,
    )
    return planned.run


async def heal_by_schedule(runtime: Runtime) -> RunResult:
    run = await scheduled(runtime)
    assert run is not None
    return await working(runtime, run)
