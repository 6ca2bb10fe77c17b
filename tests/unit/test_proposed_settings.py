"""One snippet of all that doctor's findings propose."""

from __future__ import annotations

from checks.doctor.findings import Examination, Finding, advice
from monitor.config import parse_config
from monitor.discovery.proposals import proposed_settings

SETTINGS = parse_config(
    "database: {url: postgresql://nowhere/db}\ncatalog: {users: {table: people}}",
    {},
    source="test",
    base_dir=None,
)


def proposing(**settings: object) -> Finding:
    paths = {f"catalog.{path.replace('__', '.')}": value for path, value in settings.items()}
    finding: Finding = advice("c", "s", problem="p", consequence="c", settings=paths)
    return finding


def test_what_several_findings_propose_stands_together() -> None:
    found = (
        proposing(users__where="id IS NOT NULL", impressions__defaults={"a": "1"}),
        proposing(users__where="NOT barred", impressions__defaults={"b": "2"}),
        proposing(users__where="NOT barred"),
        proposing(users__created_at="joined"),
    )
    assert proposed_settings(Examination(found[:2] + found[3:], None), SETTINGS) == {
        "catalog": {
            "users": {
                "table": "people",
                "where": "(id IS NOT NULL) AND (NOT barred)",
                "created_at": "joined",
            },
            "impressions": {"defaults": {"a": "1", "b": "2"}},
        }
    }
    again = proposed_settings(Examination(found[1:3], None), SETTINGS)
    assert again["catalog"]["users"]["where"] == "NOT barred"
