"""How a row of the impressions is made, brought to count, told from others and recognised: the
pieces of the statements that write and take back.

In the plain form (`Catalogue.is_plain`) a pair has one row and a time of viewing, and is
known by both. In every other, rows are known by their place while a statement runs (by their whole
content where a view has no places), and by their whole content in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psycopg import sql

from checks.fragments import rows_of, table, viewed_column
from checks.made_rows import in_own_type, value_of, value_sources
from checks.relations import Catalogue, Column, Kind
from checks.spec import SqlMoment
from checks.statements import Fragments, compose, identifier, operator_sql, raw, template

PACKAGE = "monitor.healing"

_CONTENT = "catalog.row"
_FEW = 40
"""Columns for one jsonb_build_object, which takes a hundred arguments."""
_PLAIN_IN_JSON = frozenset("BDENS")
"""pg_type.typcategory of values that JSON holds as they are: booleans, moments, enums, numbers,
strings. Others are kept as text: json loses what is written twice, arrays their bounds."""
NAMING = frozenset(
    f"reg{of}"
    for of in (
        *("class", "collation", "config", "dictionary", "namespace", "oper", "operator"),
        *("proc", "procedure", "role", "type"),
    )
)
"""Types whose values are numbers, and whose text is a name that may change: what was written says
what it meant by the number."""
_IN_UTC = """CASE WHEN isfinite({0})
            THEN (to_jsonb({0} AT TIME ZONE 'UTC') #>> '{{}}') || '+00:00'
            ELSE {0}::text
        END"""
_HOLDING_OTHERS = frozenset("ACR")
"""Arrays, composites, ranges: their texts hold those of other types."""
_FLOATS = frozenset(("double precision", "real"))
_SIGNED_ZERO = """CASE WHEN {0}::text = '-0' THEN '"-0"' ELSE to_jsonb({0}) END"""
"""JSON's numbers have one zero."""
_SYSTEM_COLUMNS = {"tableoid": "part", "ctid": "place", "xmin": "version"}
# Savepoints have numbers of their own, above the transaction's.
OURS = """CASE
            WHEN age({xmin}) <= 0
            THEN pg_xact_status(
                (pg_current_xact_id()::text::bigint - age({xmin}))::text::xid8
            ) = 'in progress'
        END"""
"""Whether this transaction wrote the row with that xmin."""

# The columns that a run replaced may all be gone from the table by now.
_NOTHING_TO_GIVE_BACK = """,
cte_given_back AS (
    SELECT m.entry FROM cte_untouched AS m WHERE m.replaced IS NOT NULL
)"""


def row_fragments(catalogue: Catalogue) -> Fragments:
    """What the statements name that write impressions or take them back."""
    spec = catalogue.spec.impressions
    names: dict[str, sql.Composable] = {
        "impressions_table": table(catalogue.impressions),
        "user": identifier(spec.user),
        "artwork": identifier(spec.artwork),
        "columns": _list(identifier(name) for name in _written(catalogue)),
        "values": _list(_written(catalogue).values()),
        "sources": value_sources(catalogue, spec.values.values()),
        "written_by": raw("NULL::xid" if _is_view(catalogue) else "i.xmin"),
        "fires": raw("20" if spec.set else "4"),
        "locked": raw("r" if catalogue.is_plain or catalogue.arbiter is not None else "r, c"),
        "unless_there": _unless_there(catalogue),
        **_moments(catalogue),
        **_recognising(catalogue),
    }
    return {**names, **_bringing(catalogue, names)}


def _list(parts: Iterable[sql.Composable]) -> sql.Composable:
    return sql.SQL(", ").join(parts)


def _is_view(catalogue: Catalogue) -> bool:
    return catalogue.impressions.kind is Kind.VIEW


def _written(catalogue: Catalogue) -> dict[str, sql.Composable]:
    """Each column of a new row with its value; what `set` says of the moment is preferred."""
    spec = catalogue.spec.impressions
    made: dict[str, sql.Composable] = {
        spec.user: raw("m.user_id"),
        spec.artwork: raw("m.artwork_id"),
    }
    if isinstance(spec.viewed_at, str):
        made[spec.viewed_at] = viewed_column(catalogue).stored("now")
    return {**made, **{name: value_of(catalogue, name, text) for name, text in spec.values.items()}}


def _unless_there(catalogue: Catalogue) -> sql.Composable:
    arbiter = catalogue.arbiter
    if arbiter is None:
        return raw("")
    where = "" if arbiter.predicate is None else f" WHERE {arbiter.predicate.replace('%', '%%')}"
    return sql.SQL("ON CONFLICT ({}){} DO NOTHING").format(
        _list(identifier(name) for name in arbiter.columns), raw(where)
    )


def _moments(catalogue: Catalogue) -> Fragments:
    """What the ledger has as the row's time of viewing: the catalogue's, over the row as it was
    written; the moment of writing where there is none."""
    viewed_at, column = catalogue.spec.impressions.viewed_at, viewed_column(catalogue)
    if viewed_at is None:
        return {"stamp": raw("NULL::timestamptz"), "moment": raw("%(now)s::timestamptz")}
    moment = sql.SQL("coalesce(w.viewed_at, {})").format(in_own_type(column))
    if not isinstance(viewed_at, SqlMoment):
        return {"stamp": raw("i.{}").format(identifier(viewed_at)), "moment": moment}
    # Its names are those of the row alone, whatever else the statement reads.
    stamp = sql.SQL("(SELECT ({}\n) FROM (SELECT {}) AS {})").format(
        operator_sql(viewed_at.sql),
        _list(raw("i.{0} AS {0}").format(identifier(c)) for c in catalogue.impressions.columns),
        identifier(catalogue.impressions.name),
    )
    return {"stamp": stamp, "moment": moment}


def row_in_json(columns: Iterable[Column], alias: sql.Composable) -> sql.Composable:
    """The row `alias` as a JSON object of its columns, the same in every session: what can be
    compared with a later row, and some of whose columns may have gone or come by then."""
    values = {one: sql.SQL("{}.{}").format(alias, identifier(one.name)) for one in columns}
    return values_in_json(values)


def values_in_json(values: Mapping[Column, sql.Composable]) -> sql.Composable:
    """A JSON object of values by their columns, whose types they have."""
    columns = [
        sql.SQL("{}, {}").format(literal(one.name), in_json(one, value, at_utc=True))
        for one, value in values.items()
    ]
    parts = [columns[at : at + _FEW] for at in range(0, len(columns), _FEW)]
    return sql.SQL("({})").format(
        sql.SQL(" || ").join(raw("jsonb_build_object({})").format(_list(part)) for part in parts)
    )


def written_anew(ledger: sql.Composable, columns: Iterable[Column]) -> sql.Composable:
    """The JSON object `ledger` with its arrays, ranges and composites as this session writes them:
    the moments in them are in whatever zone the session had that wrote them down."""
    anew = [
        raw(
            "CASE WHEN {0} ? {1} THEN jsonb_build_object({1}, (({0} ->> {1})::{2})::text)"
            " ELSE '{{}}' END"
        ).format(ledger, literal(one.name), operator_sql(one.cast))
        for one in columns
        if one.category in _HOLDING_OTHERS
    ]
    return sql.SQL("({})").format(sql.SQL(" || ").join([ledger, *anew]))


def in_json(column: Column, value: sql.Composable, *, at_utc: bool = False) -> sql.Composable:
    """A value of the column as JSON holds it without loss; `->>` and a cast give it back, which for
    NAMING goes by oid."""
    if column.cast == "bytea":
        return raw("'\\x' || encode({}, 'hex')").format(value)
    if at_utc and column.cast in NAMING:
        return raw("{}::oid::bigint").format(value)
    if column.category not in _PLAIN_IN_JSON:
        return raw("{}::text").format(value)
    if column.cast in _FLOATS:
        return raw(_SIGNED_ZERO).format(value)
    return raw(_IN_UTC).format(value) if at_utc and column.has_time_zone else value


def _recognising(catalogue: Catalogue) -> Fragments:
    """How rows are told from each other in a statement, and known again as a run wrote them."""
    spec, role = catalogue.spec.impressions, catalogue.spec.roles[2]
    name, is_view = identifier(catalogue.impressions.name), _is_view(catalogue)
    columns = catalogue.impressions.columns.values()
    content, written = row_in_json(columns, name), row_in_json(columns, raw("i"))
    places = {} if is_view else _SYSTEM_COLUMNS
    besides = {f"catalog.{column}": raw("{}.{}").format(name, raw(column)) for column in places}
    by_moment = "FALSE"
    if isinstance(spec.viewed_at, str):
        by_moment = f"i.{identifier(spec.viewed_at).as_string(None)} = b.viewed_at"
    return {
        "rows_there": rows_of(
            role, catalogue.impressions, role.where, besides={**besides, _CONTENT: content}
        ),
        "row_content": identifier(_CONTENT),
        "place": _list(
            raw("i.{} AS {}").format(identifier(there), raw(here))
            for there, here in (
                [(_CONTENT, "content")]
                if is_view
                else [(f"catalog.{column}", kept) for column, kept in places.items()]
            )
        ),
        "written": written,
        "place_of_row": raw("{} AS content").format(written)
        if is_view
        else raw(", ".join(f"i.{column} AS {kept}" for column, kept in places.items())),
        # A row that somebody changes meanwhile has another version, wherever it lies.
        "same_row": raw(
            "i.{user} = m.user_id AND i.{artwork} = m.artwork_id AND {written} = m.content"
            if is_view
            else " AND ".join(f"i.{column} = m.{kept}" for column, kept in places.items())
        ).format(user=identifier(spec.user), artwork=identifier(spec.artwork), written=written),
        # Rows of a view that are alike could only be changed together.
        "the_one": raw("p.alike = 1" if is_view else "p.number = 1"),
        "ours": raw("FALSE")
        if is_view
        else raw(OURS).format(xmin=raw("i.{}").format(identifier("catalog.xmin"))),
        # Of columns that are there no more, nothing is compared.
        "as_written": raw(
            "CASE WHEN b.written IS NULL THEN {0} ELSE ({1} || {2}) @> {1} END"
        ).format(raw(by_moment), written_anew(raw("b.written"), columns), written),
    }


def _newest_first(catalogue: Catalogue) -> sql.Composable:
    """The newest row of a pair, else the one with the highest key."""
    viewed = identifier(viewed_column(catalogue).column.name)
    last = [_CONTENT] if _is_view(catalogue) else ["catalog.tableoid", "catalog.ctid"]
    ties = [raw("i.{} DESC").format(identifier(name)) for name in (catalogue.row_key or last)]
    return _list([raw("i.{} DESC NULLS LAST").format(viewed), *ties])


def _bringing(catalogue: Catalogue, names: Fragments) -> Fragments:
    """What brings rows to count, and gives them their old values back; empty without `set`."""
    spec = catalogue.spec.impressions
    if not spec.set:
        empty = ("brought", "and_brought", "given_back", "and_given_back")
        return {**dict.fromkeys(empty, raw("")), "nothing_there": raw("cte_missing")}
    there = catalogue.impressions.columns
    columns = [(identifier(name), name, text) for name, text in spec.set.items()]
    more = {
        **names,
        "sources_of_set": value_sources(catalogue, spec.set.values()),
        "newest_first": _newest_first(catalogue),
        "changes": _list(
            sql.SQL("{} = {}").format(column, value_of(catalogue, name, text))
            for column, name, text in columns
        ),
        "replaced": raw("jsonb_build_object({})").format(
            _list(
                raw("{}, {}").format(
                    literal(name), in_json(there[name], raw("i.{}").format(identifier(name)))
                )
                for _, name, _ in columns
                if name in there
            )
        ),
        "old_values": _list(
            raw("{} = (m.replaced ->> {})::{}").format(column, literal(name), raw(there[name].type))
            for column, name, _ in columns
            if name in there
        ),
    }
    gives_back = any(name in there for name in spec.set)
    give_back = template(PACKAGE, "undo_give_back") if gives_back else _NOTHING_TO_GIVE_BACK
    return {
        **more,
        "brought": compose(template(PACKAGE, "batch_bring"), more),
        "and_brought": raw("\n    UNION ALL\n    SELECT * FROM cte_brought"),
        "given_back": compose(give_back, more),
        "and_given_back": raw("\n    UNION ALL\n    SELECT * FROM cte_given_back"),
        "nothing_there": raw(
            "(\n        SELECT m.user_id, m.artwork_id FROM cte_missing AS m\n        EXCEPT"
            "\n        SELECT p.user_id, p.artwork_id FROM cte_present AS p\n    )"
        ),
    }


def literal(text: str) -> sql.SQL:
    """A quoted text whose percent signs are no parameters."""
    return raw(sql.Literal(text).as_string(None).replace("%", "%%"))
