"""Whatever the doctor proposes, the application goes on writing as it did, and reads the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from checks.doctor.findings import Examination, Finding, in_yaml
from monitor.config import Settings, parse_config
from monitor.discovery.proposals import proposed_settings
from tests.integration.doctor_help import Patient
from tests.integration.remedy_shapes import READER, SHAPES, Shape
from tests.support.commands import on_one_server
from tests.support.databases import EMPTY, cloned
from tests.support.postgres import PostgresServer

RULES = Path(__file__).parents[2] / "checks"
OURS = "its remedy is about our own role, schema or connection"
TOLD = "it is told and mended in the configuration, by whoever knows the application"
WITHOUT_STATEMENT: Mapping[str, str] = {
    **dict.fromkeys(("state_schema_missing", "state_schema_unusable"), OURS),
    **dict.fromkeys(("server_is_standby", "transactions_read_only", "citus_worker"), OURS),
    **dict.fromkeys(("citus_ledger_apart", "citus_ledger_still_spread", "citus_node_lost"), OURS),
    "citus_values_of_the_pair": TOLD,
    **dict.fromkeys(("citus_not_by_user", "citus_not_spread", "citus_rows_of_any_shape"), TOLD),
    **dict.fromkeys(("citus_travels", "citus_key_without_user", "citus_approximate"), TOLD),
    **dict.fromkeys(("filter_refused", "moment_refused", "timezone_unknown"), TOLD),
    **dict.fromkeys(
        (
            "default_unusable",
            "set_unusable",
            "made_rows_do_not_count",
            "made_rows_untold",
            "key_not_unique",
            "view_hides_new_rows",
        ),
        TOLD,
    ),
    **dict.fromkeys(("growth", "column_generated", "key_not_an_id"), TOLD),
    **dict.fromkeys(("key_collations_differ", "suspicion_untold", "artworks_nobody_saw"), TOLD),
    **dict.fromkeys(("deleted_on_purpose", "sequence_runs_out", "unknown_"), TOLD),
    "ids_not_utf8": TOLD,
    "state_types_differ": OURS,
}
"""Every code that no shape has, each with the reason why nothing of it touches the app's tables."""

HARMFUL = re.compile(
    r"\b(ALTER (TABLE|COLUMN|TYPE)|DROP|DELETE FROM|UPDATE|TRUNCATE|INSERT INTO|SET NOT NULL"
    r"|ADD (CONSTRAINT|CHECK|FOREIGN|PRIMARY|UNIQUE)|NO INHERIT|CREATE TRIGGER)\b"
)
HARMLESS = re.compile(r"ALTER TABLE \S+ VALIDATE CONSTRAINT \S+;|GRANT UPDATE \([^)]+\) ON")


@pytest.fixture(scope="module")
def url(server: PostgresServer) -> Iterator[str]:
    """One database for all shapes."""
    with cloned(server, EMPTY) as made:
        yield made


@dataclass(frozen=True)
class Stage:
    """A shape in a schema of its own, and a configuration that names its tables."""

    shape: Shape
    schema: str
    patient: Patient
    settings: Settings

    @property
    def tables(self) -> str:
        """The script, in which roles are granted what they have from the beginning."""
        return self.shape.tables.replace("{schema}", self.schema)

    async def examine(self, settings: Settings | None = None) -> Examination:
        """The doctor, with these settings or as configured at first."""
        spec = (settings or self.settings).catalog_spec()
        patient = Patient(self.patient.url, spec)
        return await patient.examine(role=self.shape.role)

    def play(self) -> dict[str, Any]:
        """What the application writes, and reads back; all is taken back again."""
        with psycopg.connect(self.patient.url.replace("+psycopg", "")) as connection:
            for statement in self.shape.writes:
                connection.execute(statement.encode())
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            names = connection.execute(
                "SELECT relname::text FROM pg_class WHERE relnamespace = %s::regnamespace"
                " AND relkind IN ('r', 'p', 'v')",
                [self.schema],
            ).fetchall()
            rows = sql.SQL(
                "SELECT jsonb_agg(to_jsonb(t) - 'serial' ORDER BY (to_jsonb(t) - 'serial')::text)"
                " FROM {} AS t"
            )
            read = {
                name: connection.execute(rows.format(sql.Identifier(name))).fetchall()
                for (name,) in names
            }
            connection.rollback()
            return read

    def pasted(self, examination: Examination) -> Settings:
        """The configuration with what is proposed instead of what stood there, as text."""
        given = self.settings.model_dump(mode="json", exclude_unset=True, include={"catalog"})
        return configured({**given, **proposed_settings(examination, self.settings)})


def configured(sections: Mapping[str, Any]) -> Settings:
    text = in_yaml({"database": {"url": "postgresql://nowhere/db"}, **sections})
    return parse_config(text, {}, source="pasted", base_dir=None)


@pytest.fixture(params=SHAPES, ids=lambda shape: shape.name)
def stage(request: pytest.FixtureRequest, url: str) -> Iterator[Stage]:
    """Each shape in turn."""
    shape: Shape = request.param
    schema = f"shape_{SHAPES.index(shape)}"
    options = quote(f"-csearch_path={schema} -ctimezone={shape.timezone}")
    patient = Patient(f"{url}&options={options}")
    made = Stage(shape, schema, patient, configured({"catalog": dict(shape.catalog)}))
    patient.run(
        f"DO $$ BEGIN IF to_regrole('{READER}') IS NULL THEN CREATE ROLE {READER}; END IF; END $$",
        f"CREATE SCHEMA {schema}",
        made.tables,
    )
    yield made
    patient.run(shape.cleanup, f"DROP SCHEMA {schema} CASCADE", f"DROP OWNED BY {READER}")


def proposes(finding: Finding) -> bool:
    return bool(finding.statements or finding.settings)


def keyed(findings: tuple[Finding, ...]) -> set[tuple[str, str]]:
    """Those that are over once all that is proposed is done: not where it goes by partitions."""
    whole = (one for one in findings if proposes(one) and "--" not in one.statements)
    return {(one.code, one.subject) for one in whole}


@on_one_server
async def test_a_remedy_changes_nothing_that_the_application_writes(stage: Stage) -> None:
    before = stage.play()
    examination = await stage.examine()
    found = {finding.code for finding in examination.findings}
    with_proposal = {finding.code for finding in examination.findings if proposes(finding)}
    assert stage.shape.proposed | stage.shape.told <= found
    assert stage.shape.proposed <= with_proposal
    assert not {
        one.code for one in examination.findings if one.code in stage.shape.told and one.statements
    }

    for finding in examination.findings:
        assert not HARMFUL.search(HARMLESS.sub("", finding.mending)), finding.mending
        stage.patient.run(*executable(finding))

    after = stage.play()
    assert {name: after[name] for name in before} == before
    mended = await stage.examine(stage.pasted(examination))
    assert not keyed(examination.findings) & keyed(mended.findings)


def executable(finding: Finding) -> list[str]:
    """Its statements as a person would run them, one a line."""
    return [line for line in finding.statements.splitlines() if not line.startswith("--")]


def test_every_code_has_a_shape_or_a_reason_why_it_has_none() -> None:
    shown = {code for shape in SHAPES for code in shape.proposed | shape.told}
    made = {code for code, _ in findings_in_rules()}
    assert made - shown == WITHOUT_STATEMENT.keys()
    assert not shown & WITHOUT_STATEMENT.keys()
    assert shown <= made


def test_a_code_without_a_shape_has_no_statement() -> None:
    assert [
        code
        for code, parts in findings_in_rules()
        if code in WITHOUT_STATEMENT and parts - {"remedy"}
    ] == []


def findings_in_rules() -> Iterator[tuple[str, set[str]]]:
    """Every code in the rules, with what its finding is given that mends it; `**` may be all."""
    mending = {"remedy", "statements", "settings", None}
    modules = [
        ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted([*RULES.glob("doctor/*.py"), *RULES.glob("citus/*.py")])
    ]
    names = {name: text for module in modules for name, text in _constants(module)}
    for module in modules:
        for call in (node for node in ast.walk(module) if isinstance(node, ast.Call)):
            given = {keyword.arg for keyword in call.keywords}
            arguments = call.args
            if isinstance(call.func, ast.Name) and call.func.id == "partial":
                arguments = arguments[1:]
            if arguments and given & {"problem", "consequence"}:
                for code in _codes(arguments[0], names, module):
                    yield code, {part or "**" for part in given & mending}


def _rows_of(loop: ast.For, name: str) -> list[ast.Tuple]:
    """The rows of a loop over a table whose first column is called `name`."""
    target, table = loop.target, loop.iter
    first = target.elts[0] if isinstance(target, ast.Tuple) else None
    if not isinstance(first, ast.Name) or first.id != name or not isinstance(table, ast.Tuple):
        return []
    return [row for row in table.elts if isinstance(row, ast.Tuple)]


def _codes(code: ast.expr, names: Mapping[str, str], module: ast.Module) -> Iterator[str]:
    """What the first argument of a finding says, or all that its variable may be."""
    for node in ast.walk(code):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
    if isinstance(code, ast.Name) and code.id in names:
        yield names[code.id]
    elif isinstance(code, ast.Name):
        flaws = [node for node in ast.walk(module) if isinstance(node, ast.Dict)]
        keys = [key.value for flaw in flaws for key in flaw.keys if isinstance(key, ast.Constant)]
        yield from {str(key) for key in keys if str(key).startswith("pair_index_")}
        loops = [node for node in ast.walk(module) if isinstance(node, ast.For)]
        for row in (row for loop in loops for row in _rows_of(loop, code.id)):
            yield from _codes(row.elts[0], names, module)


def _constants(module: ast.Module) -> Iterator[tuple[str, str]]:
    """The module's names for texts."""
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                if isinstance(target, ast.Name) and isinstance(node.value.value, str):
                    yield target.id, node.value.value
