"""YAML to data: syntax, equal keys, merges, lines; and nothing of a secret in any message."""

from __future__ import annotations

import json

import pytest

from monitor.config.errors import ErrorCollector, InvalidConfigError
from monitor.config.loader import read_yaml


def read(text: str, **environ: str) -> dict[str, object]:
    return read_yaml(text, environ, "config.yaml", ErrorCollector())


def noted(text: str, **environ: str) -> ErrorCollector:
    errors = ErrorCollector()
    read_yaml(text, environ, "config.yaml", errors)
    return errors


def told(text: str, **environ: str) -> list[str]:
    return [str(error) for error in noted(text, **environ).errors]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "null", "---\n"])
def test_an_empty_file_is_an_empty_document(text: str) -> None:
    assert read(text) == {}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: [", "line 1, column 5"),
        ("a:\n\tb: 1", "line 2, column 1"),
        ("a: b: c", "line 1, column 5"),
        ("a: 'b", "line 1, column 6"),
        ("a: 1\n---\nb: 2", "line 2, column 1"),
    ],
)
def test_a_syntax_error_is_one_sentence_with_line_and_column(text: str, where: str) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        read(text)
    assert str(caught.value).startswith(f"config.yaml: {where}: expected YAML, found")
    assert len(caught.value.errors) == 1
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("a: > 0", 'in quotes: "> 0"'),
        ("a: * * * * *", 'in quotes: "* * * * *"'),
        ("a:\n\tb: 1", "spaces instead of tabs"),
        ("a: @x", "in quotes"),
        ("a: \x01", "remove it, or escape it"),
    ],
)
def test_a_common_slip_of_syntax_is_told_its_remedy(text: str, remedy: str) -> None:
    with pytest.raises(InvalidConfigError, match="expected YAML") as caught:
        read(text)
    assert remedy in str(caught.value)


@pytest.mark.parametrize("text", ["a: *hunter2x", "a: &hunter2x x\nb: &hunter2x {", "a: [hunter2x"])
def test_a_syntax_error_does_not_quote_the_text(text: str) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        read(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("text", "found"), [("- 1", "a list"), ("5", "a single value")])
def test_a_file_without_keys_is_refused(text: str, found: str) -> None:
    with pytest.raises(InvalidConfigError, match=f"expected keys such as database:, found {found}"):
        read(text)


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(InvalidConfigError, match="nested too deeply"):
        read("a: " + "[" * 5000)


def test_a_key_that_comes_twice_is_refused_with_both_lines() -> None:
    assert told("a:\n  b: 1\n  c: 2\n  b: 3\n") == [
        "a.b: expected each key once, found it on line 2 too; keep one of the two (line 4)"
    ]


def test_a_key_that_is_no_text_is_refused() -> None:
    assert told("on: 1\n2: 3\n") == [
        "(top): expected a name as key, found true; put it in quotes (line 1)",
        "(top): expected a name as key, found 2; put it in quotes (line 2)",
    ]


def test_an_alias_is_what_its_anchor_is() -> None:
    assert read("a: &x {b: 1}\nc: *x\n") == {"a": {"b": 1}, "c": {"b": 1}}


def test_a_merge_gives_keys_that_are_not_written_out() -> None:
    text = "a: &x {p: 1, q: 1}\nb: &y {q: 2, r: 2}\nc: {<<: [*x, *y], p: 3}\n"
    assert read(text)["c"] == {"p": 3, "q": 1, "r": 2}
    assert told(text) == []


@pytest.mark.parametrize("text", ["a: &x {b: *x}", "a: &x [*x]", "a: &x {<<: *x}"])
def test_an_alias_that_leads_nowhere_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfigError, match="found one nested too deeply, within itself"):
        read(text)


def test_a_merge_of_anything_but_groups_is_refused() -> None:
    (mistake,) = told("a: {<<: 5}")
    assert mistake.startswith('a."<<": expected groups of keys after <<')


@pytest.mark.parametrize("value", ["!!python/object:os.system x", "!hunter2x y"])
def test_a_tag_is_refused_and_not_shown(value: str) -> None:
    (mistake,) = told(f"a: {value}")
    assert mistake.startswith("a: expected plain YAML, found a tag")
    assert "hunter2" not in mistake


@pytest.mark.parametrize("value", ["2024-13-45", "0x_"])
def test_a_date_or_number_that_does_not_exist_is_a_mistake_with_its_path(value: str) -> None:
    (mistake,) = told(f"a:\n  b: {value}")
    assert mistake.startswith("a.b: expected a number or a date that exists")


def test_a_variable_can_not_change_the_structure() -> None:
    data = read("a: ${A}\nb: [1]", A="x\nb: {c: 1}")
    assert data == {"a": "x\nb: {c: 1}", "b": [1]}


def test_every_variable_that_is_not_set_is_a_mistake_with_its_path() -> None:
    assert [error.path for error in noted("a: ${A}\nb:\n  - c: ${B}\n").errors] == [
        "a",
        "b[0].c",
    ]


def test_a_mistake_knows_the_line_of_the_nearest_key() -> None:
    errors = noted("a:\n  - b: 1\n  - b:\n      c: 2\n")
    for loc in (("a", 1, "b", "c"), ("a", 1, "b", "none"), ("none",)):
        errors.add(loc, "x")
    assert [error.line for error in errors.errors] == [4, 3, None]


def test_a_character_in_two_escapes_as_json_writes_it_is_one() -> None:
    text = json.dumps({"a\U0001f600": "\U0001f3a8 \ud7ff", "b": ["\U0010ffff"]})
    assert "\\ud83d" in text
    assert read(text) == {"a\U0001f600": "\U0001f3a8 \ud7ff", "b": ["\U0010ffff"]}


@pytest.mark.parametrize("half", ["\\ud83d", "\\ude00", "\\ude00\\ud83d"])
def test_half_a_character_is_refused(half: str) -> None:
    assert told(f'a: "{half}"') == [
        "a: expected Unicode text, found half a character; write the character itself (line 1)"
    ]


def test_what_is_not_unicode_is_refused_wherever_it_stands() -> None:
    assert [mistake.partition(":")[0] for mistake in told("a: ${A}", A="\udcff")] == ["a"]
    assert told('"\\ud800": 1')[0].startswith('(top): expected a name as key, found "?"')
