"""The healing statements, rendered for one catalogue."""

from __future__ import annotations

from functools import cached_property

from psycopg import sql

from checks.census import affected_users
from checks.fragments import stored_moment
from checks.spec import Audience
from checks.statements import Fragments, identifier, operator_sql, raw, render
from monitor.state.runs import RunKind
from monitor.state.statements import StateStatements

PACKAGE = "monitor.healing"


class HealingStatements:
    """Renders the statements of `monitor/healing/sql`."""

    def __init__(self, state: StateStatements) -> None:
        self.state = state

    @cached_property
    def fragments(self) -> Fragments:
        """Everything that healing statements may name, for a run over the audience."""
        names = self.state.fragments
        return {
            **names,
            "affected_users": affected_users(self.state.catalogue, names),
            "columns": self._columns(),
            "values": self._values(),
            "after_cursor": raw(
                "(%(artwork_cursor)s::{0} IS NULL OR a.id > %(artwork_cursor)s::{0})".format(
                    names["artwork_cast"].as_string(None)
                )
            ),
        }

    def _columns(self) -> sql.Composable:
        spec = self.state.catalogue.spec.impressions
        names = (spec.user, spec.artwork, spec.viewed_at, *spec.defaults)
        return sql.SQL(", ").join(identifier(name) for name in names)

    def _values(self) -> sql.Composable:
        catalogue = self.state.catalogue
        spec = catalogue.spec.impressions
        viewed_at = stored_moment(
            catalogue.impressions.columns[spec.viewed_at], catalogue.spec.timezone, "now"
        )
        defaults = (operator_sql(expression) for expression in spec.defaults.values())
        return sql.SQL(", ").join(
            (
                raw("m.user_id"),
                raw("m.artwork_id"),
                viewed_at,
                *(sql.SQL("({}\n)").format(d) for d in defaults),
            )
        )

    def batch_insert(self, kind: RunKind, *, splits: bool) -> str:
        """The statement that writes; a per-user run asks for no audience.

        Where a window `splits` a user, the artworks are taken in the cursor's order, up to the
        window's limit; whole users are spared that sort, and get what was planned for them.
        """
        everyone = kind is RunKind.USER or self.state.pools.audience is Audience.ALL
        names = {
            **self.fragments,
            "cursor_order": raw("ORDER BY a.id" if splits else ""),
            "part": raw("ORDER BY a.id LIMIT %(limit)s::bigint" if splits else ""),
            "user_limit": raw("%(limit)s::bigint" if splits else "w.planned"),
            **({"in_audience": raw("TRUE")} if everyone else {}),
        }
        return render(PACKAGE, "batch_insert", names)

    def text(self, name: str) -> str:
        """The statement `name`, parameters unbound."""
        return render(PACKAGE, name, self.fragments)
