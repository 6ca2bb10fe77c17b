"""What a batch of a repair costs on a large table: it goes by the keys and reads no table whole."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.database import transaction
from monitor.healing.repair_statements import MENDS, UNDOES, RepairStatements
from tests.support.app import app_on
from tests.support.healing import make_runtime
from tests.support.repairing import configured, tools_of

TABLES = """
CREATE TABLE owner (id text PRIMARY KEY, views int);
INSERT INTO owner SELECT 'o' || n, 0 FROM generate_series(1, 200000) AS n;
CREATE TABLE large (id bigint PRIMARY KEY, owner text, views int, filler text);
INSERT INTO large SELECT n, 'o' || n % 210000, 0, repeat('x', 50)
    FROM generate_series(1, 300000) AS n;
ANALYZE owner, large;
"""
# Nobody has analysed them: the service's role may not, and autovacuum comes when it comes.
DUE = """
INSERT INTO conservator.repair_work (run_id, position, key, version)
SELECT 1, n, jsonb_build_object('id', n), '0 (0,0) 0' FROM generate_series(1, 20000) AS n
"""
REPAIRS = [
    configured(
        "delete",
        table="large",
        find="SELECT l.id FROM large l LEFT JOIN owner o ON o.id = l.owner WHERE o.id IS NULL",
        action="delete",
    ),
    configured(
        "update",
        table="large",
        find="SELECT l.id, o.views + 1 AS views FROM large l JOIN owner o ON o.id = l.owner"
        " WHERE l.views <> o.views + 1",
        action="update",
    ),
]


@pytest.mark.parametrize("name", ["delete", "update"])
async def test_a_batch_reads_what_it_changes_and_no_table_whole(
    app_database_url: str, name: str
) -> None:
    async with app_on(app_database_url) as app:
        await app.run(TABLES)
        async with make_runtime(app_database_url, repairs=REPAIRS) as runtime:
            tools = await tools_of(runtime, name)
            assert tools.repair is not None
            await app.run(DUE)
            values = {"run_id": 1, "repair": name, "position": 0, "last": 1000}
            undo = {"undoes": 1, "position": 0, "limit": 1000, "heeds": True}
            for statements in (tools.repair, tools.repair.frozen()):
                plan = await explained(runtime, statements, MENDS[name], values)
                assert whole(plan) == [], name
            for statement in (UNDOES[name], "repair_undo_settle"):
                plan = await explained(runtime, tools.repair, statement, undo)
                assert whole(plan) == [], statement


async def explained(
    runtime: Any, statements: RepairStatements, name: str, values: dict[str, Any]
) -> dict[str, Any]:
    timeout = runtime.settings.database.statement_timeout
    async with transaction(runtime.engine, timeout=timeout) as connection:
        asked = f"EXPLAIN (FORMAT JSON) {statements.text(name)}"
        found = (await connection.exec_driver_sql(asked, values)).scalar_one()
        plan: dict[str, Any] = found[0]["Plan"]
        return plan


def whole(plan: dict[str, Any]) -> list[str]:
    """The app's tables that the plan reads from end to end."""
    found = []
    if plan["Node Type"] == "Seq Scan" and plan["Relation Name"] in ("large", "owner"):
        found.append(plan["Relation Name"])
    for part in plan.get("Plans", ()):
        found += whole(part)
    return found
