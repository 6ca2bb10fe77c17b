"""Random tables with keys, values and triggers; random faults in them, and what others do."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.support.repairing import configured
from tests.support.roles import SERVICE

KEYS = {
    "bigint": "{n}::bigint",
    "text": "'k''%\"' || {n}",
    "uuid": "md5({n}::text)::uuid",
    "timestamptz": "'2024-03-31 01:30+00'::timestamptz + {n} * interval '1 hour 1 microsecond'",
    "numeric(12,3)": "{n} * 1.125",
    "smallint": "{n}::smallint",
    "bytea": "decode(lpad(to_hex({n}), 4, '0'), 'hex')",
    "char(5)": "('c' || {n})::char(5)",
    "date": "'2024-02-27'::date + {n}",
    "int[]": "ARRAY[{n}, NULL]",
    "double precision": "({n} / 3.0)::float8",
}
"""Types of keys, each with a value for the number n."""
VALUES = {
    "text": "CASE WHEN {n} % 5 > 0 THEN 'v' || {n} END",
    "jsonb": "jsonb_build_object('a', {n}, 'b', NULL)",
    "json": "('{{\"a\": 1,  \"a\": ' || {n} || '}}')::json",
    "float8": "CASE {n} % 4 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' WHEN 2 THEN"
    " '-0'::float8 ELSE ({n} / 7.0)::float8 END",
    "timestamptz[]": "ARRAY['1800-06-01 12:00+00'::timestamptz + {n} * interval '1 hour', NULL]",
    "timestamp": "CASE {n} % 3 WHEN 0 THEN 'infinity' ELSE '2024-01-01'::timestamp END",
    "interval": "{n} * interval '1 day 3 ms'",
    "text[]": "ARRAY['x,y', NULL, {n}::text]",
    "int4range": "int4range({n}, {n} + 3)",
    "bit(3)": "({n} % 8)::bit(3)",
    "inet": "('10.0.0.' || {n} % 250)::inet",
}
COLUMNS = ('k0 "odd""%"', "b c", "Key")
"""Names that have to be quoted, of key columns."""
TABLE = 'strange."my % table"'
_FIRST = '"k0 ""odd""""%"""'
DDL = {
    "": ("", ""),
    "renamed": ('RENAME value TO "other %"', 'RENAME "other %" TO value'),
    "key renamed": (f"RENAME {_FIRST} TO stem", f"RENAME stem TO {_FIRST}"),
    "added": ("ADD more int[] NOT NULL DEFAULT '{7}'", "DROP more"),
    "crossed": ("RENAME stamp TO other", "RENAME other TO stamp"),
}
"""What becomes of the table between run and undo, and how it is made undone."""


@dataclass(frozen=True)
class Case:
    """A table, which rows are wrong, and what happens to them meanwhile."""

    keys: tuple[str, ...]
    value: str
    rows: int
    wrong: int
    """Every so many rows one is wrong."""
    action: str
    asks_again: bool
    partitioned: bool
    trigger: bool
    max_batch: int
    max_rows: int
    meanwhile: tuple[str, ...]
    """To every third of the wrong rows, between plan and work."""
    since: tuple[str, ...]
    """To every third of the mended rows, between run and undo."""
    ddl: str
    """To the table, then."""
    at_once: tuple[str, ...]
    """To every second of the frozen rows, by a session of its own while the run is at work; then
    neither of the other two."""


cases = st.builds(
    Case,
    keys=st.lists(st.sampled_from(sorted(KEYS)), min_size=1, max_size=3, unique=True).map(tuple),
    value=st.sampled_from(sorted(VALUES)),
    rows=st.integers(1, 60),
    wrong=st.integers(1, 4),
    action=st.sampled_from(["insert", "update", "delete"]),
    asks_again=st.booleans(),
    partitioned=st.booleans(),
    trigger=st.booleans(),
    max_batch=st.sampled_from([1, 2, 7, 100]),
    max_rows=st.sampled_from([5, 1000]),
    meanwhile=st.lists(st.sampled_from(["", "touch", "mend", "gone"]), max_size=4).map(tuple),
    since=st.lists(st.sampled_from(["touch", "gone", "taken", ""]), min_size=1, max_size=4).map(
        tuple
    ),
    ddl=st.sampled_from(sorted(DDL)),
    at_once=st.one_of(
        st.just(()),
        st.lists(st.sampled_from(["touch", "mend", "gone"]), min_size=1, max_size=3).map(tuple),
    ),
)


STAMPED = "by a trigger"
_STAMP = f"""
CREATE FUNCTION strange.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF current_user LIKE 'conservator%' AND NEW.state = 'mended' THEN
        NEW.stamp := concat(NEW.stamp, '{STAMPED}');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON {TABLE}
    FOR EACH ROW EXECUTE FUNCTION strange.stamp();
"""
_LOG = f"""
CREATE TABLE strange.log (n int);
CREATE FUNCTION strange.log() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO strange.log VALUES (OLD.n); RETURN NULL;
END $$;
CREATE TRIGGER log AFTER DELETE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION strange.log();
"""


def quoted(name: str) -> str:
    """As a name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def names(case: Case) -> list[str]:
    """The key columns, quoted."""
    return [quoted(name) for name in COLUMNS[: len(case.keys)]]


def schema(case: Case) -> str:
    """The table with its rows; `wanted` lists what each row is to be: the independent truth."""
    keys = names(case)
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(keys, case.keys, strict=True))
    listed = ", ".join(keys)
    made = ", ".join(KEYS[kind].format(n="n") for kind in case.keys)
    value = VALUES[case.value].format(n="n")
    part = f"CREATE TABLE strange.part_{{0}} PARTITION OF {TABLE} FOR VALUES WITH"
    parts = "".join(f"{part.format(n)} (MODULUS 2, REMAINDER {n});" for n in (0, 1))
    parts = parts if case.partitioned else ""
    missing = f"AND n % {case.wrong} > 0" if case.action == "insert" else ""
    trigger = (_LOG if case.action == "delete" else _STAMP) if case.trigger else ""
    return f"""
    DROP SCHEMA IF EXISTS strange CASCADE;
    CREATE SCHEMA strange;
    CREATE TABLE {TABLE} (
        {columns}, n int NOT NULL, value {case.value}, state text NOT NULL, stamp text,
        made int GENERATED ALWAYS AS (n * 2) STORED,
        number int GENERATED ALWAYS AS IDENTITY, dropped int, PRIMARY KEY ({listed})
    ) {f"PARTITION BY HASH ({keys[0]})" if case.partitioned else ""};
    {parts}
    ALTER TABLE {TABLE} DROP COLUMN dropped;
    INSERT INTO {TABLE} ({listed}, n, value, state)
    SELECT {made}, n, {value}, CASE WHEN n % {case.wrong} = 0 THEN 'wrong' ELSE 'right' END
    FROM generate_series(1, {case.rows}) AS n WHERE TRUE {missing};
    CREATE TABLE strange.source AS
    SELECT n, {
        ", ".join(
            f"{made} AS {key}"
            for made, key in zip(
                [KEYS[kind].format(n="n") for kind in case.keys], keys, strict=True
            )
        )
    }
    FROM generate_series(1, {case.rows}) AS n WHERE n % {case.wrong} = 0;
    {trigger}
    GRANT USAGE ON SCHEMA strange TO {SERVICE};
    GRANT ALL ON ALL TABLES IN SCHEMA strange TO {SERVICE};
    """


def repair(case: Case) -> dict[str, object]:
    """What mends it."""
    keys, value = names(case), VALUES[case.value].format(n="t.n")
    same = ", ".join(f"t.{key}" for key in keys)
    find = {
        "delete": f"SELECT {same} FROM {TABLE} t WHERE t.state = 'wrong'",
        "update": f"SELECT {same}, 'mended' AS state, {value} AS value FROM {TABLE} t"
        " WHERE t.state = 'wrong'",
        "insert": f"SELECT {same}, t.n, {value} AS value, 'mended' AS state FROM strange.source t"
        f" WHERE NOT EXISTS (SELECT 1 FROM {TABLE} o WHERE o.n = t.n)",
    }[case.action]
    return configured("any", table=TABLE, find=find, action=case.action)
