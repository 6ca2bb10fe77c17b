"""Whether a repair's table is, at this moment, the one that the statements were made for: asked
before a batch writes, and once more behind the write, whose lock keeps it so."""

from __future__ import annotations

from checks.errors import StatementError
from checks.pipeline import Rows, Statement
from monitor.healing.errors import RunHeld
from monitor.healing.repair_statements import RepairStatements
from monitor.healing.repair_table import RepairTable, TableNow
from monitor.healing.statements import HealingContext

_NOTHING = "Nothing of this batch is kept."


def table_now(context: HealingContext, statements: RepairStatements) -> Statement:
    """What the table is, to be asked along with others."""
    impressions = context.state.catalogue.impressions.beneath.oid
    values = {**statements.repair.asked_now, "impressions": impressions}
    return statements.statement("repair_table", values)


def require_same(repair: RepairTable, found: Rows, before: TableNow | None = None) -> TableNow:
    """The table by what `table_now` returned; `before`: what it returned before the write.

    Raises RunHeld where it is another than was read, which reading it anew may mend, StatementError
    where foreign keys would change rows of other tables.
    """
    now = TableNow(**found[0]._asdict()) if found else None
    changed = repair.changed_since(now)
    if changed is not None or now is None:
        raise RunHeld(f"{changed} {_NOTHING}")
    told = repair.consequences(now)
    if told is not None:
        raise StatementError(f"{told} {_NOTHING}")
    if before is not None and [*now.triggers] != [*before.triggers]:
        name = repair.relation.configured
        raise RunHeld(f"Triggers of {name} came or went while the batch was written. {_NOTHING}")
    return now
