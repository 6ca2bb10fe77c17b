"""The checks on the page: what is wrong is said, with examples; what is fine stays short."""

from __future__ import annotations

from checks.judgement import Outcome
from exporters.page.checks import render_checks
from exporters.page.summary import summarise
from monitor.status import CheckFacts
from tests.unit.exporters.builders import a_census, a_check, at_work, checks, unrun

NOW = 1000.0
LATER = NOW + 181.0


def test_outcome_message_since_and_examples_are_shown() -> None:
    failing = a_check(
        "orphans",
        outcome=Outcome.FAIL,
        message="2 impressions of nobody.",
        evidence=({"user_id": "u1"}, {"user_id": "u2"}),
        facts=CheckFacts(owner="gallery team", runbook="https://example.org/orphans"),
    )
    page = render_checks(at_work(checks=checks(failing)), NOW)
    assert '<td class="attention">fail</td>' in page
    assert "2026-01-31 11:46" in page
    assert "2 impressions of nobody." in page
    assert "<summary>2 examples</summary>" in page
    assert "user_id u2" in page
    assert "Owner: gallery team." in page
    assert '<a href="https://example.org/orphans"' in page


def test_a_runbook_that_is_no_address_is_no_link() -> None:
    check = a_check(facts=CheckFacts(runbook="javascript:alert(1)"))
    page = render_checks(at_work(checks=checks(check)), NOW)
    assert "href" not in page
    assert "Runbook: javascript:alert(1)" in page


def test_what_is_too_old_is_not_shown_as_fine_but_an_error_stays() -> None:
    old = at_work(checks=checks(a_check("a"), a_check("b", outcome=Outcome.ERROR), unrun("c")))
    page = render_checks(old, LATER)
    assert "out of date" in page
    assert '<td class="attention">error</td>' in page
    assert "not yet run" in page
    assert ">pass<" not in page


def test_an_expectation_that_is_met_stands_for_itself_in_its_suite() -> None:
    part = CheckFacts(suite="artworks")
    page = render_checks(
        at_work(
            checks=checks(
                a_check("artworks"),
                a_check("artworks.met", facts=part),
                a_check("artworks.broken", facts=part, outcome=Outcome.WARN),
            )
        ),
        NOW,
    )
    assert "artworks.met" not in page
    assert "artworks.broken" in page


def test_the_sentence_names_the_suite_and_not_each_of_its_expectations() -> None:
    failing = at_work(
        census=a_census(legacy_untracked=0),
        checks=checks(
            a_check(),
            a_check("artworks", outcome=Outcome.FAIL),
            a_check("artworks.one", outcome=Outcome.FAIL, facts=CheckFacts(suite="artworks")),
        ),
    )
    assert summarise(failing, NOW).sentence.endswith("look at: artworks.")


def test_without_checks_there_is_no_table() -> None:
    assert render_checks(at_work(checks=checks()), NOW) == ""
