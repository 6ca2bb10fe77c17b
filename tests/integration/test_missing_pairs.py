"""What a run would write are the legacy pairs of the audience, in every schema, on generated
galleries; what one user's would, those of that user."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from checks.census import parameters
from checks.citus.forms import on_citus
from checks.relations import Catalogue
from checks.spec import Cutoffs
from monitor.healing.statements import HealingStatements, Part
from monitor.state.runs import RunKind
from monitor.state.statements import StateStatements
from tests.support.galleries import Gallery, galleries
from tests.support.generated import examples
from tests.support.open_schema import OpenSchema
from tests.support.oracle import expected_census
from tests.support.paired_schemas import in_every_schema


@in_every_schema
@examples(10)
@given(data=st.data())
async def test_what_would_be_written_are_the_legacy_pairs_and_no_others(
    opened: OpenSchema, data: st.DataObject
) -> None:
    schema = opened.schema
    gallery = data.draw(galleries(schema))
    expected = expected_census(gallery, schema)
    legacy = {pair for pair, state in expected.states.items() if state == "legacy_untracked"}
    async with opened.holding(gallery):
        for catalogue in (opened.catalogue, on_citus(opened.catalogue)):
            listed = await would_be_written(opened, catalogue, gallery)
            assert len(listed) == len(set(listed))
            assert set(listed) == {pair for pair in legacy if expected.by_user[pair[0]][0]}
            for user in expected.by_user:
                of_user = await would_be_written(opened, catalogue, gallery, user)
                assert sorted(of_user) == sorted(pair for pair in legacy if pair[0] == user)


async def would_be_written(
    opened: OpenSchema, catalogue: Catalogue, gallery: Gallery, user: str | None = None
) -> list[tuple[str, str]]:
    """The pairs of a run over the audience, or of one for `user`, as its batches select them."""
    cutoffs = Cutoffs.at(gallery.now, gallery.pools)
    statements = HealingStatements(StateStatements(catalogue, gallery.pools, "conservator"))
    values = {**parameters(cutoffs), "due_until": cutoffs.now, "run_id": 0, "max_rows": 1000}
    planned = {} if user is None else {user: 1000}
    if user is None:
        walk = statements.plan_by_hand("plan_walk")
        rows = await opened.connection.exec_driver_sql(walk, values)
        planned = {row.user_id: int(row.planned) for row in rows}
    kind = RunKind.HEAL if user is None else RunKind.USER
    pairs = statements.plan_pairs(kind, Part.USERS, quarantine=False)
    slice_ = {"users": list(planned), "planned": list(planned.values()), "artwork_cursor": None}
    found = await opened.connection.exec_driver_sql(
        # Without the moments, because Python knows none at the ends of time.
        f"SELECT p.user_id, p.artwork_id FROM ({pairs}) AS p",
        {**values, **slice_, "position": 0, "until": len(planned)},
    )
    listed = [(row.user_id, row.artwork_id) for row in found]
    assert user is not None or Counter(one for one, _ in listed) == Counter(planned)
    return listed
