"""The table, the JSON and the JUnit XML of a report say the same, whatever a server has sent."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contract.checks.outputs import junit, listing, table
from app.contract.checks.report import LONGEST_FRAME, SHOWN, Report, Subject, counted, quoted, results
from app.contract.checks.rules import Breach, Rule, Sights, UnknownRule, judge, merged, selected
from app.contract.checks.secrets import MARK, redactor
from app.contract.chldo.rules import RULES

ODD = 'a\x00b\x0b]]><&"\ud800\ufffe\U0001f600 가'


def rule(name: str, *sights: Breach | None) -> Rule[None]:
    def check(seen: None) -> Sights:
        yield from sights

    return Rule(name, f"Says {name}.", "spec 1", check, "there was none")


def report(*rules: Rule[None], problem: str = "", notes: tuple[str, ...] = ()) -> Report:
    hide = redactor(["secret-key"])
    found = results([judge(one, None) for one in rules], hide)
    subject = Subject(name="ws://x/", believed="2024-11-13", also=[], because=["START"], judged="2024-11-13")
    return Report(
        version="1",
        wire="chldo",
        mode="active",
        target="ws://x/",
        problem=problem,
        subjects=[] if problem else [subject],
        revision_given=False,
        counts=counted(found),
        turns=3,
        seconds=1.25,
        notes=[hide(note) for note in notes],
        rules=found,
    )


def breach(frame: str = '{"status":"END"}', expected: str = "one", got: str = "another") -> Breach:
    return Breach("first, request 1, frame 2", frame, expected, got)


MIXED = report(
    rule("wire.kept", None, None),
    rule("wire.skipped"),
    rule("keys.broken", None, breach(), breach(ODD, ODD, ODD)),
    rule("keys.often", *[breach() for _ in range(SHOWN + 5)]),
)


def test_the_counts_are_those_of_the_rules() -> None:
    assert MIXED.counts.model_dump() == {"passed": 1, "failed": 2, "skipped": 1, "findings": 2 + SHOWN + 5}
    assert [one.occasions for one in MIXED.rules] == [2, 0, 3, SHOWN + 5]
    assert (MIXED.exit_code, report(rule("a.b", None)).exit_code, report(problem="no").exit_code) == (1, 0, 3)


def test_junit_agrees_with_the_report() -> None:
    root = ET.fromstring(junit(MIXED))
    cases = {case.attrib["name"]: case for case in root.iter("testcase")}
    assert set(cases) == {one.id for one in MIXED.rules}
    for one in MIXED.rules:
        outcome = {"failed": "failure", "skipped": "skipped"}.get(one.outcome)
        assert [child.tag for child in cases[one.id]] == ([outcome] if outcome else [])
    assert root.attrib["failures"] == "2"
    assert root.attrib["skipped"] == "1"
    for suite in root.iter("testsuite"):
        inside = list(suite.iter("testcase"))
        assert int(suite.attrib["tests"]) == len(inside)
        assert int(suite.attrib["failures"]) == sum(case.find("failure") is not None for case in inside)
    failure = cases["keys.broken"].find("failure")
    assert failure is not None
    assert failure.text is not None
    assert '{"status":"END"}' in failure.text
    assert "expected one" in failure.text


def test_junit_tells_a_missing_connection_as_an_error() -> None:
    root = ET.fromstring(junit(report(problem="cannot connect")))
    assert (root.attrib["errors"], root.attrib["tests"]) == ("1", "1")
    assert [error.attrib["message"] for error in root.iter("error")] == ["cannot connect"]


def test_the_table_shows_rule_source_frame_and_both_values() -> None:
    text = table(MIXED)
    for part in (
        "keys.broken",
        "Says keys.broken.",
        "[spec 1]",
        "expected one",
        "got      another",
        '{"status":"END"}',
    ):
        assert part in text
    assert f"and {SHOWN + 2} more" in text
    assert "there was none: wire.skipped" in text
    assert "1 rules kept, 2 broken, 1 skipped" in text
    assert "speaks 2024-11-13; judged as 2024-11-13" in text


def test_the_json_is_read_back_as_it_was() -> None:
    assert Report.model_validate_json(report(rule("a.b", breach())).model_dump_json()) == report(rule("a.b", breach()))
    with pytest.raises(ValueError, match="extra"):
        Report.model_validate_json(json.dumps(json.loads(MIXED.model_dump_json()) | {"more": 1}))


texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)


@given(frame=texts, expected=texts, got=texts)
def test_any_text_makes_valid_xml_and_json(frame: str, expected: str, got: str) -> None:
    made = report(rule("a.b", breach(frame, expected, got)), notes=(got,))
    ET.fromstring(junit(made).encode("utf-8"))
    json.loads(made.model_dump_json().encode("utf-8"))
    assert not {*map(chr, range(32))} - {"\n"} & set(table(made).encode("utf-8").decode())


def test_a_frame_is_redacted_before_it_is_cut() -> None:
    body: dict[str, Any] = {"url": "https://v/?Signature=" + "s" * 344, "msg": "x" * 155 + "secret-key"}
    body["list"] = ["y" * 500] * 9
    shown = quoted(json.dumps(body), redactor(["secret-key"]))
    assert "secret" not in shown
    assert "ssss…" in shown
    assert len(shown) <= LONGEST_FRAME + 1
    assert len(quoted("z" * 10_000, redactor([]))) <= LONGEST_FRAME + 1


@given(secret=st.text(min_size=6, max_size=20), around=st.text(max_size=10))
def test_a_secret_is_gone_however_it_is_spelt(secret: str, around: str) -> None:
    hide = redactor([secret])
    once = json.dumps({"msg": around + secret}, ensure_ascii=False)
    for text in (secret, once, json.dumps({"msg": secret}), json.dumps({"msg": once})):
        assert MARK in hide(text)


def test_rules_are_chosen_by_name_and_by_group() -> None:
    rules = [rule("a.one"), rule("a.two"), rule("b.one")]
    names = [
        [one.id for one in selected(rules, only, skip)]
        for only, skip in [((), ()), (("a",), ("a.two",)), (("b.one",), ())]
    ]
    assert names == [["a.one", "a.two", "b.one"], ["a.one"], ["b.one"]]
    for only, skip in [(("c",), ()), ((), ("a.three",))]:
        with pytest.raises(UnknownRule, match="--list"):
            selected(rules, only, skip)


def test_verdicts_on_several_recordings_become_one() -> None:
    one = merged([judge(rule("a.b"), None), judge(rule("a.b", None, breach()), None)])
    assert (one.outcome, one.occasions, one.reason) == ("failed", 2, "")
    assert merged([judge(rule("a.b"), None)] * 2).reason == "there was none"


def test_the_list_names_every_rule_once() -> None:
    lines = listing(RULES).splitlines()
    assert [line.split()[0] for line in lines] == [one.id for one in RULES]
    assert len({one.id for one in RULES}) == len(RULES)
    assert all(one.source in line and one.says in line for one, line in zip(RULES, lines, strict=True))


def test_every_rule_is_one_sentence_with_a_source_and_a_reason_to_be_skipped() -> None:
    for one in RULES:
        assert one.says[-1] in ".다", one.id
        assert "\n" not in one.says, one.id
        assert one.source.startswith("spec "), one.id
        assert one.needs.rstrip(".") == one.needs != "", one.id
