"""The doctor's rules on facts made by hand: no server needed to say what follows from them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from checks.catalogue import Facts, parse_name
from checks.doctor.access import similar
from checks.doctor.ddl import create_index
from checks.doctor.findings import (
    Blocks,
    Examination,
    Severity,
    advice,
    error,
    healing_error,
    in_yaml,
)
from checks.doctor.input import Answer, DoctorInput, Evidence, Rows, Surroundings
from checks.doctor.rules import judge
from checks.errors import CatalogueError, Refusal
from checks.relations import Column, ForeignKey, Index, Kind, Relation
from checks.spec import (
    ArtworksSpec,
    CatalogueSpec,
    ImpressionsSpec,
    PairsSpec,
    PoolsSpec,
    SharedColumns,
    UsersSpec,
)
from monitor.config import parse_config
from monitor.runtime import blocking_sentences

AROUND = Surroundings(
    database="app",
    in_recovery=False,
    read_only=False,
    state_schema_exists=True,
    can_use_state_schema=True,
    can_create_schema=False,
)


def column(name: str, cast: str = "text", category: str = "S", **more: object) -> Column:
    plain = Column(
        name=name,
        type=cast,
        cast=cast,
        not_null=True,
        has_default=False,
        category=category,
        has_time_zone=cast == "timestamp with time zone",
        orderable=True,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def moment(name: str) -> Column:
    return column(name, "timestamp with time zone", "D")


def index(*columns: str | None, **more: object) -> Index:
    plain = Index(
        name="_".join(name or "expr" for name in columns) + "_idx",
        columns=columns,
        included=(),
        method="btree",
        unique=True,
        primary=False,
        valid=True,
        partial=False,
        immediate=True,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def relation(oid: int, name: str, *columns: Column, indexes: tuple[Index, ...]) -> Relation:
    return Relation(
        configured=name,
        oid=oid,
        schema="public",
        name=name,
        kind=Kind.TABLE,
        columns={column.name: column for column in columns},
        indexes=indexes,
        foreign_keys=(),
        row_security=(),
        can_select=True,
        can_insert=True,
        can_delete=True,
        insert_triggers=(),
        publications=(),
        estimated_rows=10,
        total_bytes=8192,
        row_bytes=8192,
        visible_bytes=8192,
    )


def key(name: str, target: Relation) -> ForeignKey:
    return ForeignKey(f"{name}_fkey", (name,), target.oid, target.name, ("id",), validated=True)


ARTWORKS = relation(
    1, "art_sessions", column("id"), moment("created_at"), indexes=(index("id", primary=True),)
)
USERS = relation(2, "users", column("id"), indexes=(index("id", primary=True),))
IMPRESSIONS = replace(
    relation(
        3,
        "user_art_impressions",
        column("user_id"),
        column("artwork_id"),
        moment("viewed_at"),
        indexes=(index("user_id", "artwork_id"), index("artwork_id", unique=False)),
    ),
    foreign_keys=(key("user_id", USERS), key("artwork_id", ARTWORKS)),
)
FACTS = Facts(
    spec=CatalogueSpec(),
    artworks=ARTWORKS,
    users=USERS,
    impressions=IMPRESSIONS,
    server_version=150018,
    role="checker",
)


def judged(facts: Facts = FACTS, evidence: Evidence | None = None) -> Examination:
    given = DoctorInput(
        facts=facts,
        pools=PoolsSpec(),
        evidence=evidence or Evidence(surroundings=AROUND),
        state_schema="conservator",
    )
    return Examination(judge(given), facts.catalogue)


def codes(examination: Examination) -> list[str]:
    return [finding.code for finding in examination.findings]


def test_sound_facts_have_no_findings() -> None:
    assert judged().findings == ()
    assert judged().catalogue is not None


def test_a_standby_blocks_healing_only() -> None:
    evidence = Evidence(surroundings=replace(AROUND, in_recovery=True, read_only=True))
    (finding,) = judged(evidence=evidence).findings
    assert finding.code == "server_is_standby"
    assert finding.blocks is Blocks.HEALING


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"valid": False}, "pair_index_invalid"),
        ({"partial": True}, "pair_index_partial"),
        ({"immediate": False}, "pair_index_deferrable"),
        ({"columns": (None, "artwork_id")}, "pair_index_expression"),
        ({"columns": ("user_id", "artwork_id", "viewed_at")}, "pair_index_wider"),
        ({"unique": False}, "pair_index_missing"),
    ],
)
def test_an_index_that_can_not_arbitrate_is_an_error(changed: dict[str, object], code: str) -> None:
    flawed = replace(index("user_id", "artwork_id"), **changed)  # type: ignore[arg-type]
    impressions = replace(IMPRESSIONS, indexes=(flawed, index("artwork_id", unique=False)))
    evidence = Evidence(surroundings=AROUND, duplicate_pairs=Answer.NO)
    examination = judged(replace(FACTS, impressions=impressions), evidence)
    assert codes(examination)[0] == code
    assert [f.code for f in examination.blocking(Blocks.HEALING)] == [code]
    assert examination.blocking(Blocks.COUNTING) == ()


@pytest.mark.parametrize(
    "flawed",
    [
        index("user_id", "artwork_id", partial=True, valid=False),
        index("user_id", "artwork_id", immediate=False, valid=False),
        index("user_id", "artwork_id", "viewed_at", valid=False),
    ],
)
def test_where_one_index_says_that_pairs_may_come_twice_no_other_is_proposed(flawed: Index) -> None:
    expression = index(None, "artwork_id", name="of_an_expression")
    impressions = replace(IMPRESSIONS, indexes=(expression, flawed))
    evidence = Evidence(surroundings=AROUND, duplicate_pairs=Answer.NO)
    findings = judged(replace(FACTS, impressions=impressions), evidence).findings
    unique = [finding for finding in findings if finding.code.startswith("pair_index_")]
    assert len(unique) == 2
    assert not any(finding.statements for finding in unique)
    assert all("It can be counted" in finding.remedy for finding in unique)


def test_a_partitioned_table_gets_its_index_in_pieces() -> None:
    impressions = replace(
        IMPRESSIONS, kind=Kind.PARTITIONED, partition_key=("user_id",), indexes=()
    )
    evidence = Evidence(surroundings=AROUND, duplicate_pairs=Answer.NO)
    finding = judged(replace(FACTS, impressions=impressions), evidence).findings[0]
    assert "ON ONLY" in finding.statements
    assert "ATTACH PARTITION" in finding.statements


def test_a_new_index_never_takes_a_name_that_is_taken_or_too_long() -> None:
    long = replace(IMPRESSIONS, name="é" * 40, indexes=())
    name = create_index(long, "user_id", unique=True).split('"')[1]
    assert len(name.encode()) <= 63
    assert name.endswith("_key")
    taken = replace(long, indexes=(index("user_id", name=name),))
    other = create_index(taken, "user_id", unique=True).split('"')[1]
    assert len(other.encode()) <= 63
    assert other.endswith("_key2")


def test_nothing_of_a_refusal_is_lost() -> None:
    refusal = Refusal("42883", "operator does not exist: text = uuid")
    evidence = Evidence(
        surroundings=AROUND,
        comparisons={"user_art_impressions.user_id = users.id": refusal},
        filters={"catalog.users.where": Refusal("42703", 'column "x" does not exist')},
        ids={"users": Rows(duplicates=Answer.YES), "artworks": Rows(nulls=Answer.YES)},
    )
    spec = replace(FACTS.spec, users=replace(FACTS.spec.users, where="x"))
    examination = judged(replace(FACTS, spec=spec), evidence)
    assert sorted(codes(examination)) == [
        "filter_refused",
        "ids_not_unique",
        "ids_null",
        "keys_not_comparable",
    ]
    assert any(refusal.message in finding.problem for finding in examination.findings)


def test_ids_that_nobody_can_read_block_what_names_them() -> None:
    other = {"users": Rows(not_utf8=Answer.YES), "artworks": Rows(not_utf8=Answer.YES)}
    findings = judged(FACTS, Evidence(surroundings=AROUND, ids=other)).findings
    assert {one.subject: one.blocks for one in findings if one.code == "ids_not_utf8"} == {
        "art_sessions.id": Blocks.COUNTING,
        "users.id": Blocks.HEALING,
    }


def test_a_table_privilege_that_is_missing_is_not_also_blamed_on_the_filter() -> None:
    facts = replace(
        FACTS,
        spec=CatalogueSpec(users=UsersSpec(where="active")),
        users=replace(USERS, can_select=False, can_use_schema=False),
    )
    evidence = Evidence(
        surroundings=AROUND, filters={"catalog.users.where": Refusal("42501", "denied")}
    )
    (finding,) = judged(facts, evidence).findings
    assert finding.code == "no_select"
    assert finding.statements.splitlines() == [
        'GRANT USAGE ON SCHEMA "public" TO "checker";',
        'GRANT SELECT ON "public"."users" TO "checker";',
    ]


@pytest.mark.parametrize(
    ("left", "right", "differ"),
    [
        (("text", "text"), ("character varying", "character varying"), False),
        (("character varying", "character varying(36)"), ("text", "text"), True),
        (("character varying", "varchar(9)"), ("character varying", "varchar(9)"), False),
        (("integer", "integer"), ("bigint", "bigint"), True),
        (("bpchar", "character(36)"), ("text", "text"), True),
    ],
)
def test_types_differ_where_an_id_might_not_fit(
    left: tuple[str, str], right: tuple[str, str], differ: bool
) -> None:
    user = column("user_id", left[0], type=left[1])
    id_ = column("id", right[0], type=right[1])
    facts = replace(
        FACTS,
        users=replace(USERS, columns={"id": id_}),
        impressions=replace(IMPRESSIONS, columns={**IMPRESSIONS.columns, "user_id": user}),
    )
    assert ("key_types_differ" in codes(judged(facts))) is differ


def test_a_foreign_key_is_only_asked_for_where_one_is_possible() -> None:
    bare = replace(IMPRESSIONS, foreign_keys=())
    assert codes(judged(replace(FACTS, impressions=bare))) == ["foreign_key_missing"] * 2
    view = replace(USERS, kind=Kind.VIEW)
    facts = replace(FACTS, impressions=bare, users=view)
    assert codes(judged(facts)) == ["foreign_key_missing"]


def test_missing_tables_and_columns_leave_the_other_rules_working() -> None:
    facts = replace(FACTS, users=None, artworks=replace(ARTWORKS, columns={"id": column("id")}))
    examination = judged(facts, Evidence(surroundings=AROUND, relations=(("app", "Users"),)))
    assert codes(examination) == ["table_missing", "column_missing"]
    assert examination.findings[0].settings == {"catalog.users.table": "app.Users"}
    assert examination.catalogue is None
    with pytest.raises(CatalogueError, match=r"users, art_sessions\.created_at"):
        facts.require()


def test_an_unknown_column_of_defaults_does_not_hide_the_catalogue() -> None:
    spec = CatalogueSpec(impressions=ImpressionsSpec(defaults={"nope": "1"}))
    examination = judged(replace(FACTS, spec=spec))
    assert codes(examination) == ["default_unusable"]
    assert examination.catalogue is not None


def test_blocking_without_arguments_means_blocking_anything() -> None:
    both = error("a", "s", problem="p", consequence="c", remedy="r")
    healing = healing_error("b", "s", problem="p", consequence="c", remedy="r")
    cheap = advice("c", "s", problem="p", consequence="c", remedy="r")
    examination = Examination((both, healing, cheap), None)
    assert examination.blocking() == (both, healing)
    assert examination.blocking(Blocks.COUNTING) == (both,)
    assert {f.severity for f in examination.blocking()} == {Severity.ERROR}


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ("users", (None, "users")),
        ("Art Sessions", (None, "Art Sessions")),
        ("public.art_sessions", ("public", "art_sessions")),
        ('"my.schema"."my table"', ("my.schema", "my table")),
        ('"my.schema".users', ("my.schema", "users")),
        ('"dotted.name"', (None, "dotted.name")),
        ('"say ""hi"""', (None, 'say "hi"')),
        ("a.b.c", ("a", "b.c")),
        ('public."x.y"', ("public", "x.y")),
        ('odd"name', (None, 'odd"name')),
    ],
)
def test_a_configured_name_is_split_at_the_first_dot_outside_quotes(
    configured: str, expected: tuple[str | None, str]
) -> None:
    assert parse_name(configured) == expected


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(CatalogueError, match="Expected a table name"):
        parse_name("")


def test_similar_names_ignore_capitals_and_underscores() -> None:
    names = ["userId", "artworkId", "viewedAt", "created"]
    assert similar("user_id", names)[0] == "userId"
    assert similar("viewed_at", names) == ("viewedAt",)
    assert similar("zzz", names) == ()


def test_an_owner_column_is_needed_like_any_other() -> None:
    facts = replace(FACTS, spec=CatalogueSpec(artworks=ArtworksSpec(owner="maker")))
    assert codes(judged(facts)) == ["column_missing"]


_BREAKS = "\0\x85\u2028\u2029"
"""NUL is refused everywhere; the others are line breaks to YAML, and to no SQL."""
_EXPRESSIONS = st.text(st.characters(codec="utf-8", exclude_characters=_BREAKS)).filter(
    lambda text: re.search(r"\$\d", text) is None  # no expression that is stored has parameters
)


@given(_EXPRESSIONS.filter(str.strip))
@example("email <> '${NOBODY}' -- $${x} $$${y}")
@example("'of $1'")
@example("null")
@example("a\r\nb")
def test_whatever_is_proposed_can_be_pasted(expression: str) -> None:
    proposed = {"catalog": {"impressions": {"defaults": {"made": expression}}}}
    text = in_yaml({"database": {"url": "postgresql://nowhere/db"}, **proposed})
    settings = parse_config(text, {}, source="pasted", base_dir=None)
    assert settings.catalog.impressions.defaults == {"made": expression}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (None, '"id" IS NOT NULL'),
        ("active -- still", '(active -- still\n) AND "id" IS NOT NULL'),
    ],
)
def test_rows_without_an_id_are_left_out_besides_those_that_were(
    where: str | None, expected: str
) -> None:
    facts = replace(FACTS, spec=CatalogueSpec(users=UsersSpec(where=where)))
    evidence = Evidence(surroundings=AROUND, ids={"users": Rows(nulls=Answer.YES)})
    (finding,) = judged(facts, evidence).findings
    assert finding.settings == {"catalog.users.where": expected}


def test_a_column_of_a_list_is_named_by_its_place_and_the_list_proposed_whole() -> None:
    users = replace(USERS, columns={**USERS.columns, "teamId": column("teamId")})
    spec = CatalogueSpec(
        pairs=PairsSpec(same=(SharedColumns("id", "id"), SharedColumns("team_id", "id"))),
        impressions=ImpressionsSpec(key=("id", "userid")),
    )
    found = judged(replace(FACTS, users=users, spec=spec)).findings
    missing = {one.subject: one for one in found if one.code == "column_missing"}
    assert "(catalog.pairs.same[1].user)" in missing["users.team_id"].problem
    same = [{"user": "id", "artwork": "id"}, {"user": "teamId", "artwork": "id"}]
    assert missing["users.team_id"].settings == {"catalog.pairs.same": same}
    key = missing["user_art_impressions.userid"]
    assert "(catalog.impressions.key[1])" in key.problem
    assert key.settings == {"catalog.impressions.key": ["id", "user_id"]}


def test_of_many_findings_of_a_kind_a_few_are_told_and_the_rest_counted() -> None:
    lacking = [
        healing_error("column_without_default", f"views.c{n}", problem="It.", consequence="So.")
        for n in range(100)
    ]
    other = error("no_select", "users", problem="No.", consequence="Nothing.")
    told = blocking_sentences(Examination((other, *lacking), None))
    assert [sentence.partition(":")[0] for sentence in told] == [
        "users",
        *(f"views.c{n}" for n in range(10)),
        "90 more like views.c0",
    ]


def test_a_table_of_many_columns_is_refused_in_few_sentences() -> None:
    impressions = FACTS.impressions
    assert impressions is not None
    many = {f"c{n}": column(f"c{n}", required=True) for n in range(100)}
    wide = replace(impressions, columns={**impressions.columns, **many})
    found = judged(replace(FACTS, impressions=wide)).findings
    lacking = [one for one in found if one.code == "column_without_default"]
    assert len(lacking) == 11
    assert lacking[-1].problem.startswith("90 more columns may not be null and have no default: c")
    assert lacking[-1].problem.endswith(" and 70 more.")
