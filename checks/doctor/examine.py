"""The examination: facts, probes, rules."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from checks.catalogue import read_catalogue
from checks.doctor.case import Case
from checks.doctor.findings import Examination
from checks.doctor.probe import Probe
from checks.doctor.questions import Questions
from checks.doctor.rules import judge
from checks.spec import CatalogueSpec, PoolsSpec


async def examine(
    connection: AsyncConnection,
    spec: CatalogueSpec,
    pools: PoolsSpec,
    *,
    state_schema: str,
    patience: timedelta = timedelta(seconds=10),
) -> Examination:
    """Everything there is to say about the tables, worst first; nothing is written.

    Needs a connection inside a transaction (not AUTOCOMMIT), for its savepoints. `patience` bounds
    each question that reads rows; one that takes longer is reported as unanswered.
    """
    facts = await read_catalogue(connection, spec)
    evidence = await Probe(Questions(connection, patience), facts, state_schema).gather()
    case = Case(facts=facts, pools=pools, evidence=evidence, state_schema=state_schema)
    return Examination(findings=judge(case), catalogue=facts.catalogue)
