"""Expectations of Great Expectations' own gallery, each with arguments under which it is met and
under which it is broken on one table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

TABLES = """
CREATE TABLE items (
    id int PRIMARY KEY, n int, price numeric, label text, kind text, a int, b int, day date,
    secret text
);
INSERT INTO items
SELECT n, n, n % 2, 'v' || n, CASE WHEN n % 4 = 0 THEN 'x' ELSE 'y' END, n, n + 1,
    date '2025-01-01' + n, CASE WHEN n % 5 = 0 THEN NULL ELSE 'hidden-' || n END
FROM generate_series(1, 20) AS n;
CREATE TABLE others AS SELECT n FROM generate_series(1, 20) AS n;
CREATE TABLE fewer AS SELECT n FROM generate_series(1, 7) AS n;
"""
"""20 items; every fourth is an x, every fifth has no secret."""
COLUMNS = ["id", "n", "price", "label", "kind", "a", "b", "day", "secret"]
Kwargs = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One type. `broken` are the ids that break it, where it can tell; `value` what is measured
    then: rows, or 1 for a whole that is not as expected."""

    type: str
    met: Kwargs
    unmet: Kwargs
    broken: tuple[int, ...] = ()
    value: float = field(default=-1.0)
    note: str = ""

    @property
    def measured(self) -> float:
        """What the check's value is while it is broken."""
        return len(self.broken) if self.value < 0 else self.value

    @property
    def name(self) -> str:
        """For the test report."""
        return f"{self.type.removeprefix('expect_')}{self.note and '-'}{self.note}"


def column(kind: str, name: str, met: Kwargs, unmet: Kwargs, *broken: int, note: str = "") -> Case:
    """A type about each value of a column."""
    own = {"column": name}
    return Case(f"expect_column_{kind}", {**own, **met}, {**own, **unmet}, broken, note=note)


def whole(kind: str, met: Kwargs, unmet: Kwargs, *, about: str | None = None) -> Case:
    """A type about a table, or a column as a whole."""
    own = {} if about is None else {"column": about}
    return Case(f"expect_{kind}", {**own, **met}, {**own, **unmet}, value=1)


def together(kind: str, met: Kwargs, unmet: Kwargs, *broken: int) -> Case:
    """A type about several columns of a row."""
    return Case(f"expect_{kind}", met, unmet, broken)


EVERY = tuple(range(1, 21))
XS = (4, 8, 12, 16, 20)
YS = tuple(number for number in EVERY if number not in XS)
TENS = (1, *range(10, 20))
"""Whose label begins with v1."""
OTHER_LABELS = tuple(number for number in EVERY if number not in TENS)
HIGH = (16, 17, 18, 19, 20)
PAIR = {"column_A": "b", "column_B": "a"}
MEDIAN = {"quantiles": [0.5], "value_ranges": [[5, 15]]}
LOW_MEDIAN = {"quantiles": [0.5], "value_ranges": [[0, 5]]}
SHARES = {"values": ["x", "y"], "weights": [0.25, 0.75]}
OTHER_SHARES = {"values": ["x", "y"], "weights": [0.9, 0.1]}

CASES = (
    column("values_to_not_be_null", "secret", {"mostly": 0.8}, {}, 5, 10, 15, 20),
    # Of this type and of compound columns no ids came with the counts.
    Case(
        "expect_column_values_to_be_null",
        {"column": "secret", "mostly": 0.2},
        {"column": "secret", "mostly": 0.5},
        value=16,
    ),
    column("values_to_be_unique", "label", {}, {"column": "kind"}, *EVERY),
    column("values_to_be_in_set", "kind", {"value_set": ["x", "y"]}, {"value_set": ["x"]}, *YS),
    column("values_to_not_be_in_set", "kind", {"value_set": ["z"]}, {"value_set": ["x"]}, *XS),
    column("values_to_be_between", "n", {"min_value": 1}, {"max_value": 15}, *HIGH),
    column(
        "values_to_be_between",
        "day",
        {"min_value": "2025-01-01"},
        {"max_value": "2025-01-16"},
        *HIGH,
        note="dates",
    ),
    column("values_to_match_regex", "label", {"regex": "^v"}, {"regex": "^v1"}, *OTHER_LABELS),
    column("values_to_not_match_regex", "label", {"regex": "^w"}, {"regex": "^v1"}, *TENS),
    column(
        "values_to_match_regex_list",
        "label",
        {"regex_list": ["^v1", "^v[2-9]"]},
        {"regex_list": ["^v1", "^v20"]},
        *range(2, 10),
    ),
    column(
        "values_to_match_like_pattern",
        "label",
        {"like_pattern": "v%"},
        {"like_pattern": "v1%"},
        *OTHER_LABELS,
    ),
    column(
        "value_lengths_to_be_between", "label", {"min_value": 2}, {"min_value": 3}, *range(1, 10)
    ),
    column("value_lengths_to_equal", "kind", {"value": 1}, {"value": 2}, *EVERY),
    column(
        "value_z_scores_to_be_less_than",
        "n",
        {"threshold": 2, "double_sided": True},
        {"threshold": 1.5, "double_sided": True},
        1,
        20,
    ),
    whole("column_values_to_be_of_type", {"type_": "INTEGER"}, {"type_": "TEXT"}, about="n"),
    whole(
        "column_values_to_be_in_type_list",
        {"type_list": ["TEXT", "INTEGER"]},
        {"type_list": ["TEXT"]},
        about="n",
    ),
    whole(
        "column_distinct_values_to_be_in_set",
        {"value_set": ["x", "y", "z"]},
        {"value_set": ["x"]},
        about="kind",
    ),
    whole(
        "column_distinct_values_to_contain_set",
        {"value_set": ["x"]},
        {"value_set": ["z"]},
        about="kind",
    ),
    whole(
        "column_distinct_values_to_equal_set",
        {"value_set": ["x", "y"]},
        {"value_set": ["x", "y", "z"]},
        about="kind",
    ),
    whole("column_min_to_be_between", {"min_value": 1}, {"min_value": 2}, about="n"),
    whole("column_max_to_be_between", {"max_value": 20}, {"max_value": 19}, about="n"),
    whole("column_mean_to_be_between", {"max_value": 11}, {"max_value": 10}, about="n"),
    whole("column_median_to_be_between", {"max_value": 11}, {"max_value": 10}, about="n"),
    whole("column_sum_to_be_between", {"max_value": 210}, {"max_value": 209}, about="n"),
    whole("column_stdev_to_be_between", {"max_value": 6}, {"max_value": 5}, about="n"),
    whole(
        "column_quantile_values_to_be_between",
        {"quantile_ranges": MEDIAN},
        {"quantile_ranges": LOW_MEDIAN},
        about="n",
    ),
    whole(
        "column_most_common_value_to_be_in_set",
        {"value_set": ["y"]},
        {"value_set": ["x"]},
        about="kind",
    ),
    whole(
        "column_proportion_of_unique_values_to_be_between",
        {"max_value": 0.1},
        {"min_value": 0.2},
        about="kind",
    ),
    whole(
        "column_proportion_of_non_null_values_to_be_between",
        {"min_value": 0.8},
        {"min_value": 0.9},
        about="secret",
    ),
    whole(
        "column_unique_value_count_to_be_between", {"max_value": 2}, {"min_value": 3}, about="kind"
    ),
    whole(
        "column_kl_divergence_to_be_less_than",
        {"partition_object": SHARES, "threshold": 0.1},
        {"partition_object": OTHER_SHARES, "threshold": 0.1},
        about="kind",
    ),
    whole("column_to_exist", {"column": "n"}, {"column": "missing"}),
    whole("table_row_count_to_equal", {"value": 20}, {"value": 21}),
    whole("table_row_count_to_be_between", {"max_value": 20}, {"max_value": 19}),
    whole(
        "table_row_count_to_equal_other_table",
        {"other_table_name": "others"},
        {"other_table_name": "fewer"},
    ),
    whole("table_column_count_to_equal", {"value": 9}, {"value": 8}),
    whole("table_column_count_to_be_between", {"max_value": 9}, {"max_value": 8}),
    whole(
        "table_columns_to_match_ordered_list",
        {"column_list": COLUMNS},
        {"column_list": COLUMNS[::-1]},
    ),
    whole(
        "table_columns_to_match_set",
        {"column_set": COLUMNS[::-1], "exact_match": True},
        {"column_set": COLUMNS[1:], "exact_match": True},
    ),
    together(
        "column_pair_values_a_to_be_greater_than_b",
        PAIR,
        {"column_A": "a", "column_B": "b"},
        *EVERY,
    ),
    together("column_pair_values_to_be_equal", {"column_A": "a", "column_B": "n"}, PAIR, *EVERY),
    Case(
        "expect_compound_columns_to_be_unique",
        {"column_list": ["kind", "n"]},
        {"column_list": ["kind", "price"]},
        value=20,
    ),
    together(
        "multicolumn_sum_to_equal",
        {"column_list": ["a", "b"], "sum_total": 3, "mostly": 0.05},
        {"column_list": ["a", "b"], "sum_total": 3},
        *range(2, 21),
    ),
    together(
        "select_column_values_to_be_unique_within_record",
        {"column_list": ["a", "b"]},
        {"column_list": ["a", "n"]},
        *EVERY,
    ),
    column(
        "values_to_be_between",
        "n",
        {"max_value": 20, "row_condition": 'col("kind") == "x"'},
        {"max_value": 15, "row_condition": 'col("kind") == "x"'},
        16,
        20,
        note="row_condition",
    ),
    column(
        "values_to_be_between",
        "n",
        {
            "max_value": 15,
            "row_condition": {"type": "nullity", "column": {"name": "kind"}, "is_null": True},
        },
        {
            "max_value": 15,
            "row_condition": {
                "type": "comparison",
                "column": {"name": "kind"},
                "operator": "==",
                "parameter": "y",
            },
        },
        17,
        18,
        19,
        note="row_condition-mapping",
    ),
    Case(
        "unexpected_rows_expectation",
        {"unexpected_rows_query": "SELECT n FROM {batch} WHERE n > 20"},
        {"unexpected_rows_query": "SELECT n FROM {batch} WHERE n > 15 AND label LIKE 'v%'"},
        value=5,
    ),
)
