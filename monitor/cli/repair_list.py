"""`repair` without a name: what is configured, what each would mend, and what stands in its way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from checks.errors import CatalogueError, StatementError
from monitor.cli.output import console, moment, number, print_result, print_table, print_text
from monitor.cli.session import Session
from monitor.config import Repair
from monitor.healing.errors import active_sentence, breaker_sentence, paused_sentence
from monitor.policy.repairs import open_repair_refusal
from monitor.run_tools import preview_repair, repair_planner, tools_to_repair
from monitor.runtime import Runtime
from monitor.state.control import Control, read_control
from monitor.state.repairs import (
    RepairControl,
    RepairFound,
    last_runs,
    read_found,
    read_repair_controls,
)
from monitor.state.runs import Run


@dataclass(frozen=True, slots=True)
class _Kept:
    """What our tables say, by repair; all of it empty before they are made."""

    control: Control = field(default_factory=Control)
    controls: Mapping[str, RepairControl] = field(default_factory=dict)
    runs: Mapping[str, Run] = field(default_factory=dict)
    found: Mapping[str, RepairFound] = field(default_factory=dict)
    """What a service has decided last."""


async def list_repairs(session: Session, *, as_json: bool) -> int:
    """Every repair, with what it would mend now. 1 where one could not be planned."""
    runtime = await session.runtime()
    kept = await _read(session, runtime)
    rows = [await _row(session, runtime, one, kept) for one in session.settings.repairs]
    print_result({"repairs": rows}, lambda: _show(rows, kept), as_json=as_json)
    return 1 if any(one["error"] for one in rows) else 0


async def _read(session: Session, runtime: Runtime) -> _Kept:
    state = runtime.state
    async with session.snapshot() as connection:
        if not await session.has_schema(connection):
            return _Kept()
        return _Kept(
            await read_control(connection, state),
            await read_repair_controls(connection, state),
            await last_runs(connection, state),
            await read_found(connection, state),
        )


async def _row(session: Session, runtime: Runtime, one: Repair, kept: _Kept) -> dict[str, Any]:
    own = kept.controls.get(one.name, RepairControl(one.name))
    run, decided = kept.runs.get(one.name), kept.found.get(one.name)
    return {
        "repair": one.name,
        "check": one.check,
        "action": one.action.value,
        "table": one.table,
        "mode": one.mode.value,
        "suspended": own.suspended,
        "suspended_reason": own.suspended_reason,
        "breaker_open": own.breaker_open,
        "last_run": None if run is None else run.id,
        "decision": None
        if decided is None
        else {
            "kind": decided.kind,
            "code": decided.code,
            "reason": decided.reason,
            "decided_at": decided.decided_at,
        },
        **await _would_mend(session, runtime, one, own),
    }


async def _would_mend(
    session: Session, runtime: Runtime, one: Repair, own: RepairControl
) -> dict[str, Any]:
    try:
        tools = await tools_to_repair(runtime, one)
        found = await preview_repair(tools, one)
    except (CatalogueError, StatementError) as error:
        return {"would_mend": None, "refused": None, "error": str(error)}
    refusal = repair_planner(tools, one).refusal(found.named, found.share, own)
    refused = None if refusal is None else refusal.reason
    return {"would_mend": found.named, "refused": refused, "error": None}


def _show(rows: list[dict[str, Any]], kept: _Kept) -> None:
    if not rows:
        console.print("No repair is configured: docs/repairs.md says how.")
        return
    for sentence in stopped_sentences(kept.control):
        print_text(sentence, "bold red")
    print_table(
        rows,
        {
            "repair": lambda one: one["repair"],
            "check": lambda one: one["check"],
            "does": lambda one: f"{one['action']} {one['table']}",
            "mode": lambda one: one["mode"],
            "names now": lambda one: number(one["would_mend"]),
            "last run": lambda one: "–" if one["last_run"] is None else str(one["last_run"]),
            "how it stands": lambda one: _stands(one, kept),
        },
        numbers=("names now", "last run"),
    )


def _stands(one: Mapping[str, Any], kept: _Kept) -> str:
    """What keeps it back, as it is now; else what a service has decided last, if one has."""
    stops = [told for told in (one["error"], one["refused"]) if told]
    run = kept.runs.get(one["repair"])
    if run is not None and run.active:
        stops.insert(0, active_sentence(run))
    if one["suspended"]:
        stops.append(suspended_sentence(kept.controls[one["repair"]]))
    if stops:
        return " ".join(stops)
    decided = kept.found.get(one["repair"])
    if decided is None:
        return "No service has decided about it yet."
    return f"{decided.reason} Decided {moment(decided.decided_at)}."


def stopped_sentences(control: Control) -> Iterator[str]:
    """What stops all of healing and of repairs."""
    if control.paused:
        yield paused_sentence(control.paused_reason)
    if control.breaker_open:
        yield (
            f"{breaker_sentence(control.breaker_reason)} It stops repairs, too. Once you have"
            " looked, `conservator reset-breaker` closes it."
        )


def suspended_sentence(own: RepairControl) -> str:
    """Why a repair starts by itself no more."""
    return (
        f"Repair {own.repair} is suspended: {own.suspended_reason or 'no reason given'}."
        f" `conservator resume {own.repair}` ends that."
    )


def repair_sentences(own: RepairControl) -> Iterator[str]:
    """What stops one repair."""
    refusal = open_repair_refusal(own)
    if refusal is not None:
        yield refusal.reason
    if own.suspended:
        yield suspended_sentence(own)
