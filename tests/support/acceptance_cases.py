"""Every document of every gallery, and what is right to come of it beside the oracle's counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.support.stranger_galleries import documents

EVERY = "SELECT * FROM ({pairs}) AS every"
_VENUE_1 = """
SELECT split_part(u, '/', 2) AS u, split_part(a, '/', 2) AS a, created, seen
FROM ({pairs}) AS every WHERE u LIKE '1/%'
"""
# A visitor has no two passes for one room.
_BY_PASS = """
SELECT p.id::text AS u, every.a, every.created, every.seen
FROM ({pairs}) AS every
JOIN passes AS p ON p.visitor_id = every.u::bigint
JOIN artworks AS w ON w.id = every.a::bigint AND w.room_id = p.room_id
"""
# The cleared pairs are older than what counts as the visitor's beginning: storage, at any age.
_CLEARED_AS_STORAGE = """
SELECT u, a, created, seen, false AS excused FROM ({pairs}) AS every
UNION ALL
SELECT v.id::text, a.id::text, a.hung_at, false, true
FROM visitors AS v CROSS JOIN artworks AS a
WHERE NOT v.barred AND v.keeps_history AND a.on_show AND a.hung_at <= v.cleared_at
  AND EXISTS (SELECT FROM viewings AS x WHERE x.visitor_id = v.id)
  AND NOT EXISTS (SELECT FROM viewings AS x WHERE x.visitor_id = v.id AND x.artwork_id = a.id)
"""


@dataclass(frozen=True)
class AcceptanceCase:
    """One document, and what to expect of it."""

    gallery: str
    number: int = 1
    """Which document of the YAML."""
    brought: int = 0
    """Rows that are there and are brought to count."""
    pairs: str = EVERY
    """The oracle in the ids of this document; `excused` pairs are never legacy."""
    prepare: str = ""
    """What the owner does beforehand."""
    policies: bool = False
    """NAME.policies.sql is run once the service's roles are there."""
    impressions: str = ""
    """The table that is written; empty: the one that the document names."""
    refused: str = ""
    """A pattern of the sentence by which healing is refused; empty: it heals."""
    never: str = "SELECT WHERE false"
    """Rows that healing must not leave behind."""
    harmful: tuple[str, ...] = ()
    """Patterns of what would harm this app, in no remedy."""

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.gallery}-{self.number}"

    @property
    def catalog(self) -> dict[str, Any]:
        """The document's `catalog`."""
        return documents(self.gallery)[self.number - 1]

    @property
    def written_table(self) -> str:
        """The table that is written."""
        return self.impressions or str(self.catalog["impressions"]["table"])


_LATELY = "BETWEEN now() - interval '10 minutes' AND now()"
_NO_COPIES = """
SELECT FROM glances WHERE came_from IS NULL AND glanced_on = (now() AT TIME ZONE 'UTC')::date
GROUP BY visitor_id, artwork_id HAVING count(*) > 1 AND visitor_id IS NOT NULL
"""
_NEVER = {
    "anonymous": _NO_COPIES,
    "composite_keys": """
        SELECT FROM visits AS x
        WHERE EXISTS (SELECT FROM conservator.backfilled_impression AS l
            WHERE l.user_id::text = x.patron_no::text AND l.artwork_id::text = x.sheet_no)
          AND x.venue_id = 1
          AND (x.first_look IS DISTINCT FROM x.last_look
            OR x.last_look < extract(epoch FROM now()) / 60 - 15)
    """,
    "deleted_on_purpose": """
        SELECT FROM viewings AS x JOIN visitors AS v ON v.id = x.visitor_id
        JOIN artworks AS a ON a.id = x.artwork_id
        WHERE x.seconds = 0 AND (a.hung_at < v.cleared_at OR x.first_at <> x.latest_at)
    """,
    "derived_value": """
        SELECT FROM viewings AS x JOIN artworks AS a ON a.id = x.artwork_id
        WHERE x.wing_id IS DISTINCT FROM a.wing_id
    """,
    "framework_times": f"""
        SELECT FROM conservator.backfilled_impression AS l
        JOIN dismissals AS d ON d.badge_id = l.user_id AND d.placard_id = l.artwork_id
        WHERE d.updated_at IS DISTINCT FROM d.created_at
          OR NOT d.created_at AT TIME ZONE 'UTC' {_LATELY}
    """,
    "epoch": f"""
        SELECT FROM conservator.backfilled_impression AS l
        JOIN looks AS x ON x.gid = l.user_id AND x.pid = l.artwork_id
        WHERE NOT to_timestamp(x.looked / 1000.0) {_LATELY}
    """,
    "polymorphic": """
        SELECT FROM seen_things AS x JOIN prints AS p ON p.id = x.thing_id
        WHERE x.kind = 'print' AND (x.wing_id, x.society_id, x.house_id)
            IS DISTINCT FROM (p.wing_id, p.society_id, p.house_id)
    """,
    "status_rows": f"""
        SELECT FROM conservator.backfilled_impression AS l
        JOIN dealings AS x ON x.people_no = l.user_id AND x.work_no = l.artwork_id
        WHERE NOT x.seen_at {_LATELY}
    """,
    "subscriptions": """
        SELECT FROM notes AS x JOIN artworks AS a ON a.id = x.artwork_id
        WHERE (x.hung, x.relabelled) IS DISTINCT FROM (a.hung, a.relabelled) OR NOT EXISTS (
            SELECT FROM passes AS p
            WHERE p.id = x.pass_id AND p.visitor_id = x.visitor_id AND p.room_id = a.room_id)
    """,
    "tenants": """
        SELECT FROM openings AS o JOIN visitors AS v ON v.id = o.visitor_id
        JOIN artworks AS a ON a.id = o.artwork_id WHERE a.studio_id IS DISTINCT FROM v.studio_id
    """,
}
_HARMFUL = {
    "anonymous": ("CREATE UNIQUE INDEX", "SET NOT NULL"),
    "epoch": ("ALTER TABLE",),
    "polymorphic": ("CREATE UNIQUE INDEX", "gen_random_uuid", "PARTITION BY"),
    "status_rows": ("FOREIGN KEY",),
    "subscriptions": ("CREATE UNIQUE INDEX",),
}


def _case(gallery: str, number: int = 1, **more: Any) -> AcceptanceCase:
    return AcceptanceCase(
        gallery,
        number,
        **{
            "never": _NEVER.get(gallery, "SELECT WHERE false"),
            "harmful": _HARMFUL.get(gallery, ()),
            **more,
        },
    )


ACCEPTANCE_CASES = (
    _case("anonymous"),
    _case("anonymous", 2),
    _case("composite_keys", brought=51, pairs=_VENUE_1, impressions="visits"),
    _case("composite_keys", 2, brought=51, pairs=_VENUE_1),
    # The ids of that view are computed.
    _case("composite_keys", 3, refused="all_visits"),
    _case("deleted_on_purpose"),
    _case("deleted_on_purpose", 2, pairs=_CLEARED_AS_STORAGE),
    _case("derived_value"),
    _case("domain_ids"),
    _case("epoch", brought=594),
    _case("epoch", 2, brought=594),
    _case("existence_only"),
    _case("framework_times"),
    _case("polymorphic"),
    _case("row_security", policies=True),
    _case("status_rows", brought=1157),
    _case("status_rows", 2, brought=1157),
    _case("subscriptions", brought=598),
    _case("subscriptions", 2, brought=598, pairs=_BY_PASS),
    _case("tenants"),
    _case(
        "tenants",
        2,
        prepare="CREATE UNIQUE INDEX openings_pair ON openings (visitor_id, artwork_id)",
    ),
)
