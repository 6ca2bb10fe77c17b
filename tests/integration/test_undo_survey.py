"""What an undo would find is asked row by row, and nothing else in the same transaction is."""

from __future__ import annotations

import pytest

from monitor.database import set_local, snapshot
from monitor.healing.preview import preview_undo
from tests.support.healing import heal, planted
from tests.support.query_plans import plans_of

pytestmark = pytest.mark.prepared


async def test_a_survey_joins_by_the_index_and_what_follows_as_it_likes(
    app_database_url: str,
) -> None:
    async with planted(app_database_url, users=20, artworks=40) as (app, runtime):
        run = (await heal(runtime)).run
        await app.run("ANALYZE")
        statements, undoes = runtime.healing, {"undoes": run.id}
        async with snapshot(runtime.engine, timeout=runtime.settings.lease) as connection:
            found = await preview_undo(connection, statements, run.id)
            on = await connection.exec_driver_sql("SHOW enable_hashjoin")
            assert (on.scalar_one(), found.untouched) == ("on", run.inserted)
            await set_local(connection, enable_hashjoin="off", enable_mergejoin="off")
            (plan,) = await plans_of(
                connection, lambda: statements.run(connection, "undo_survey", undoes)
            )
        kinds = {node.kind for node in plan.walk()}
        assert "Nested Loop" in kinds
        assert not kinds & {"Hash Join", "Merge Join", "Hash"}
