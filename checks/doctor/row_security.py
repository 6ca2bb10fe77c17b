"""Row security: accepted where every row is certainly there for the role, refused elsewhere.

A policy is only ever proposed for a role of the service's own. One for the app's role would open
every row to the app, whose privacy these policies are.
"""

from __future__ import annotations

from collections.abc import Iterator

from checks.doctor.ddl import comment, create_policies, quoted
from checks.doctor.findings import Finding, error, healing_error, warning
from checks.doctor.input import DoctorInput
from checks.relations import Command, Relation, RowSecurity
from checks.spec import TableRole

_MAY = {
    Command.SELECT: "see",
    Command.INSERT: "insert",
    Command.UPDATE: "update",
    Command.DELETE: "delete",
}
_WORST = (
    (
        Command.SELECT,
        error,
        "Rows may be hidden without an error: counts would be wrong, and impressions that exist"
        " would look missing.",
    ),
    (Command.INSERT, healing_error, "Every insert of a backfill would fail."),
    (Command.UPDATE, healing_error, "Not every row that is there can be brought to count."),
    (Command.DELETE, warning, "Backfills work, but `undo` can't take them back."),
)


def every_row_is_open(given: DoctorInput) -> Iterator[Finding]:
    """All rows are seen, and of the impressions any can be written and taken back."""
    told = set()
    reads = [
        (relation.configured, security, needed(role, relation))
        for role, relation in given.facts.found
        for security in relation.row_security
    ]
    reads += [
        (f"{one.schema}.{one.name}", security, (Command.SELECT,))
        for one in given.facts.read_elsewhere
        for security in one.row_security
    ]
    for name, security, commands in reads:
        missing = [one for one in commands if one not in security.open_for]
        # Two views may read the same table.
        same = (security.schema, security.name, security.role, *missing)
        if missing and same not in told:
            told.add(same)
            yield _finding(name, security, missing)


def needed(role: TableRole, relation: Relation) -> tuple[Command, ...]:
    """What the service does with the rows of the relation."""
    writes = bool(role.written) and relation.takes_writes
    if not writes:
        return (Command.SELECT,)
    return tuple(one for one in Command if one is not Command.UPDATE or role.updated)


def _finding(name: str, security: RowSecurity, missing: list[Command]) -> Finding:
    make, consequence = next((make, says) for one, make, says in _WORST if one in missing)
    remedy, statements = _mending(name, security, missing)
    may = ", ".join(_MAY[one] for one in missing)
    finding: Finding = make(
        "row_security",
        name,
        problem=(
            f"Row security applies to role {security.role} in {security.schema}.{security.name},"
            f" and it is not certain that the role may {may} every row."
        ),
        consequence=consequence,
        remedy=remedy,
        statements=statements,
    )
    return finding


def _mending(name: str, security: RowSecurity, missing: list[Command]) -> tuple[str, str]:
    """The remedy, and the statements for the app's tables."""
    role = quoted(security.viewer)
    if security.by_owner_of_view:
        return view_remedy(name), ""
    if security.named and not security.service_roles:
        return (
            f"Connect as a role of the service's own: {security.viewer} owns the table, or policies"
            " speak of it, and a new one might open every row to the app. `conservator init"
            " --print-sql`, run as the owner, prints such a role and its policies."
        ), ""
    only = f"if {security.viewer} is the service's own: the app's role would see every row"
    caution = "" if security.service_roles else comment(only)
    if security.restrictive:
        return (
            f"No policy can overrule the restrictive {', '.join(security.restrictive)}:"
            f" ALTER ROLE {role} BYPASSRLS;  {caution}"
        ).rstrip(), ""
    roles = security.service_roles or (security.viewer,)
    statements = create_policies(security, dict.fromkeys(missing, roles))
    return "", f"{caution}\n{statements}".lstrip()


def view_remedy(view: str) -> str:
    """What mends a view that reads with the rights of an owner who may not see every row."""
    return (
        f"Let {view} belong to a role that sees every row, or recreate it WITH (security_invoker ="
        " true), which makes it read with the rights of whoever asks."
    )
