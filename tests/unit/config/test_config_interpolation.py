"""${NAME} and ${NAME:-fallback} in a scalar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.errors import InvalidValueError
from monitor.config.loader import Expanded, expand, retyped


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("${A}", "alpha"),
        ("x-${A}-y", "x-alpha-y"),
        ("${A}${A}", "alphaalpha"),
        ("${NONE:-other}", "other"),
        ("${NONE:-}", ""),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY}", ""),
        ("${A:-other}", "alpha"),
        ("$${A}", "${A}"),
        ("$$body$$ costs $5", "$$body$$ costs $5"),
        ("a } b", "a } b"),
    ],
)
def test_variables_are_replaced(text: str, result: str) -> None:
    assert expand(text, {"A": "alpha", "EMPTY": ""}) == result


def test_a_value_is_not_expanded_again() -> None:
    assert expand("${A}", {"A": "${B}", "B": "no"}) == "${B}"


def test_every_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(InvalidValueError) as caught:
        expand("${A}/${B}/${A}", {})
    assert str(caught.value) == (
        "expected a value in the environment variables A, B, found nothing; "
        "set them, or write a fallback: ${A:-…}"
    )


@pytest.mark.parametrize(
    "text", ["${", "${A", "${1}", "${A-x}", "${A:?x}", "${A B}", "${A:-x", "${A:-${A}}"]
)
def test_another_form_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        expand(f"secret{text}", {"A": "alpha"})
    assert "found another form at character 7" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("9855", 9855),
        ("0.5", 0.5),
        ("true", True),
        ("off", False),
        ("", None),
        ("null", None),
        ("15m", "15m"),
        ("{a: 1}", "{a: 1}"),
        ("[1]", "[1]"),
        ("<<", "<<"),
        ("0x_", "0x_"),
        ("2025-01-01", "2025-01-01"),
        (" 7\n", 7),
    ],
)
def test_exactly_one_variable_takes_the_type_that_yaml_gives_its_value(
    value: str, result: object
) -> None:
    expanded = expand("${A}", {"A": value})
    assert isinstance(expanded, Expanded)
    assert retyped(expanded) == result
    assert type(retyped(expanded)) is type(result)


@pytest.mark.parametrize("text", ["${A}0", "0${A}", "${A}${A}", "$${A}", "plain"])
def test_anything_more_than_one_variable_stays_text(text: str) -> None:
    assert not isinstance(expand(text, {"A": "1"}), Expanded)


@given(st.text())
def test_a_value_arrives_as_it_is(value: str) -> None:
    assert expand("<${A}>", {"A": value}) == f"<{value}>"


@given(st.text(alphabet="${}:-AB ", max_size=20))
def test_any_text_is_expanded_or_refused(text: str) -> None:
    try:
        expand(text, {"A": "alpha"})
    except InvalidValueError:
        assert "${" in text


@given(st.text())
def test_retyping_never_fails(value: str) -> None:
    retyped(Expanded(value))
