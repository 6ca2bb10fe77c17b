"""The checks on the page: what is wrong is said, with examples; what is fine stays short."""

from __future__ import annotations

from checks.judgement import Outcome
from exporters.page.checks import summarise
from monitor.status import CheckFacts, CheckResult
from tests.support.builders import a_census, a_check, at_work, checks, unrun
from tests.unit.exporters.rendering import LATER, NOW, context, part, words


def table(*several: CheckResult, now: float = NOW) -> str:
    return part(context(at_work(checks=checks(*several)), now), "checks")


def test_outcome_value_threshold_since_message_and_examples_are_shown() -> None:
    failing = a_check(
        "orphan_rows",
        outcome=Outcome.FAIL,
        value=2.0,
        message="2 impressions of nobody.",
        evidence=({"user_id": "u1"}, {"user_id": "u2"}),
        facts=CheckFacts(
            warn="> 0", fail="> 1", owner="gallery team", runbook="https://example.org/orphans"
        ),
    )
    html = table(failing)
    text = words(html)
    assert "orphan_rows fail 2 warn > 0 fail > 1 31 Jan 11:46 2 impressions of nobody." in text
    assert '<span class="mark attention">fail</span>' in html
    assert "2 examples of orphan_rows" in text
    assert "user_id u2" in text
    assert "Owner: gallery team." in text
    assert '<a href="https://example.org/orphans"' in html


def test_a_runbook_that_is_no_address_is_no_link() -> None:
    html = table(a_check(facts=CheckFacts(runbook="javascript:alert(1)")))
    assert "href" not in html
    assert "Runbook: javascript:alert(1)" in words(html)


def test_what_is_too_old_is_not_shown_as_fine_but_an_error_stays() -> None:
    html = table(a_check("a"), a_check("b", outcome=Outcome.ERROR), unrun("c"), now=LATER)
    assert "out of date" in html
    assert '<span class="mark attention">error</span>' in html
    assert "not yet run" in html
    assert ">pass<" not in html


def test_an_expectation_that_is_met_is_told_by_its_suite() -> None:
    suite = CheckFacts(suite="artworks")
    html = table(
        a_check("artworks"),
        a_check("artworks.met", facts=suite),
        a_check("artworks.broken", facts=suite, outcome=Outcome.WARN),
    )
    assert "artworks.met" not in html
    assert "artworks.broken" in html


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
