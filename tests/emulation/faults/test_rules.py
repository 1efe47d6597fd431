"""Rules as they are read: what is right comes back as it was written, what is wrong is told with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from app.emulation.documents import read_document
from app.emulation.faults.files import read_faults, read_profiles
from app.emulation.faults.kinds import KINDS, KNOWN, Kind, Parameter, Place
from app.emulation.faults.rules import MOST_RULES, WHEN, Rule, read_rules
from app.emulation.nodes import Problem
from app.emulation.occasions import Occasion
from app.emulation.report import FixtureError, Item, Report
from tests.emulation.faults.written import rules

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
CONDITIONS = st.one_of(
    TEXTS,
    st.builds(lambda part: {"contains": part}, TEXTS),
    st.sampled_from(["^a", "[가-힣]+", "(?i)x$"]).map(lambda pattern: {"regex": pattern}),
)
WHENS = st.fixed_dictionaries(
    {},
    optional={
        **{name: CONDITIONS for name in WHEN if name not in ("turn", "message")},
        "message": CONDITIONS | st.none(),
        "turn": st.integers(1, 1_000_000),
    },
)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "status": st.integers(400, 599),
    "body": JSONS,
    "seconds": st.integers(0, 86_400) | st.floats(0, 86_400),
    "connections": st.integers(1, 10**9),
    "code": st.sampled_from([1000, 1003, 1007, 1014, 3000, 4999]),
    "reason": st.text("안녕 abc", max_size=40),
    "after_frames": st.integers(0, 10**9),
    "after_seconds": st.floats(0, 86_400),
    "times": st.integers(1, 100),
    "keep": st.floats(0, 1),
    "text": TEXTS,
    "bytes": st.integers(1, 64 * 1024 * 1024),
    "set": st.dictionaries(TEXTS, JSONS, max_size=3),
    "remove": st.lists(TEXTS, max_size=3),
    "rename": st.dictionaries(TEXTS, TEXTS, max_size=3),
    "order": st.lists(TEXTS, max_size=3),
    "per_second": st.floats(0.01, 1e6),
    "after_tokens": st.integers(0, 10**9),
    "factor": st.floats(0.01, 100),
    "balance": st.integers(0, 99),
    "as": st.sampled_from(["unusable", "unknown"]),
    "operation": st.sampled_from(["any", "read", "write"]),
    "tries": st.integers(1, 100),
}


@st.composite
def written(draw: st.DrawFn) -> dict[str, Any]:
    """A rule that is right."""
    kind = KINDS[draw(st.sampled_from(list(KINDS)))]
    rule: dict[str, Any] = {"fault": kind.name}
    if draw(st.booleans()):
        rule["when"] = draw(WHENS)
    rule |= draw(st.fixed_dictionaries({}, optional={"probability": st.floats(0, 1), "skip": st.integers(0, 10**9)}))
    if not kind.counted_by and draw(st.booleans()):
        rule["count"] = draw(st.integers(1, 10**9))
    for name, parameter in kind.takes.items():
        if parameter.required or draw(st.booleans()):
            rule[name] = draw(VALUES[name])
    for name in kind.one_of[1:]:
        if kind.one_of[0] in rule:
            rule.pop(name, None)
    if kind.name == "edit":
        rule.setdefault("set", {"a": 1})
    return rule


def same(one: Rule, other: Rule) -> bool:
    return (one.kind, one.when, one.probability, one.count, one.skip, one.values) == (
        other.kind,
        other.when,
        other.probability,
        other.count,
        other.skip,
        other.values,
    )


def test_every_parameter_of_every_kind_is_tried() -> None:
    assert {name for kind in KINDS.values() for name in kind.takes} == VALUES.keys()
    assert KNOWN.keys() == set(Place)


@given(st.lists(written(), max_size=5))
@settings(max_examples=100)
def test_a_rule_comes_back_as_it_was_written(plain: list[dict[str, Any]]) -> None:
    read = rules(*plain)
    again = rules(*(rule.plain() for rule in read))
    assert all(same(one, other) for one, other in zip(read, again, strict=True))
    assert [rule.plain() for rule in read] == [rule.plain() for rule in again]
    json.dumps([rule.plain() for rule in read], allow_nan=False)


ANYTHING = st.recursive(
    JSONS | st.floats() | st.sampled_from([*KINDS, *WHEN, "fault", "when"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*VALUES, *WHEN, "fault", "when", "count", "skip", "probability"]) | TEXTS, inner
        )
    ),
    max_leaves=25,
)
NEARLY = st.builds(
    lambda rule, wrong: {**rule, **wrong},
    written(),
    st.dictionaries(
        st.sampled_from([*VALUES, "when", "count", "skip", "probability", "fault", "?"]), ANYTHING, max_size=3
    ),
)


def read_text(folder: Path, text: str) -> tuple[tuple[Rule, ...], list[Problem]]:
    """The rules of a `faults.yaml`, and what is wrong with it."""
    (folder / "faults.yaml").write_text(text, encoding="utf-8")
    report = Report()
    read = read_faults(folder, report)
    try:
        report.close()
    except FixtureError as error:
        return read, list(error.problems)
    return read, []


@given(ANYTHING | st.lists(NEARLY, max_size=4).map(lambda listed: {"faults": listed}))
@settings(max_examples=200)
def test_any_yaml_gives_rules_or_problems_with_their_lines(tmp_path_factory: pytest.TempPathFactory, tree: Any) -> None:
    folder = tmp_path_factory.mktemp("rules")
    text = yaml.safe_dump(tree, allow_unicode=True)
    read, problems = read_text(folder, text)
    lines = len(text.splitlines())
    for problem in problems:
        assert problem.file == "faults.yaml"
        assert 1 <= problem.line <= lines + 1
        assert "\n" not in str(problem)
        assert len(str(problem)) <= 601
    if not problems:
        assert isinstance(tree, dict)
        assert len(read) == len(tree["faults"])
        for rule in read:
            rule.holds(Occasion())
            rule.plain()


@given(st.text(max_size=200))
@settings(max_examples=200)
def test_any_text_gives_rules_or_problems(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "faults.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    report = Report()
    read_faults(folder, report)
    with pytest.raises(FixtureError, match=r"^faults\.yaml:\d+: "):
        report.close()


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("{}", "[0]: expected a fault, one of refuse, handshake-delay, "),
        ("{fault: explode}", "fault: expected one of refuse, "),
        ("{fault: [drop]}", "fault: expected one of refuse, "),
        ("drop", '[0]: expected a mapping with fault, found "drop"'),
        ("{fault: drop, seconds: 1}", "seconds: expected one of fault, when, probability, count, skip, found an "),
        ("{fault: delay}", "seconds: expected this key, found nothing"),
        ("{fault: delay, seconds: -1}", "seconds: expected a number from 0 to 86400, found -1"),
        ("{fault: delay, seconds: .inf}", 'seconds: expected a number from 0 to 86400, found ".inf"'),
        ("{fault: drop, count: 0}", "count: expected a whole number from 1 to 1000000000, found 0"),
        ("{fault: drop, probability: 1.5}", "probability: expected a number from 0 to 1, found 1.5"),
        ("{fault: drop, when: {colour: red}}", "when.colour: expected one of wire, room, user, key, message, "),
        ("{fault: drop, when: {turn: zwei}}", "when.turn: expected a whole number from 1 to 1000000000, found "),
        ("{fault: drop, when: {room: {regex: '('}}}", "when.room.regex: expected a valid regular expression, found "),
        ("{fault: drop, when: {room: ~}}", "when.room: expected text, contains or regex, found nothing"),
        ("{fault: close, code: 1006}", "code: expected a close code that can be sent: 1000 to 1003, 1007 to 1014, "),
        ("{fault: close, code: 2000}", "code: expected a close code that can be sent: "),
        ("{fault: close, after_frames: 1, after_seconds: 1}", "after_seconds: expected only one of after_frames, "),
        (f"{{fault: close, reason: {'가' * 42}}}", "reason: expected at most 123 bytes, found "),
        ("{fault: flap, count: 2}", "count: expected connections in its place, found count"),
        ("{fault: edit}", "[0]: expected at least one of set, remove, rename, order, found a mapping of 1"),
        ("{fault: edit, set: [a]}", "set: expected a mapping, found a list of 1"),
        ("{fault: key-revoked, as: gone}", 'as: expected one of unusable, unknown, found "gone"'),
        ("{fault: no-credit, balance: 100}", "balance: expected a whole number from 0 to 99, found 100"),
        ("{fault: store-full, operation: all}", 'operation: expected one of any, read, write, found "all"'),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, rule: str, problem: str) -> None:
    _, problems = read_text(tmp_path, f"faults: [{rule}]")
    told = f"faults.yaml:1: {problem.replace('[0]', 'faults[0]')}"
    assert any(str(one).startswith(told) for one in problems), problems


def test_a_reason_may_fill_its_frame(tmp_path: Path) -> None:
    assert read_text(tmp_path, f"faults: [{{fault: close, reason: {'가' * 41}}}]")[1] == []


def test_too_many_rules_are_one_problem(tmp_path: Path) -> None:
    read, problems = read_text(tmp_path, "faults:\n" + "- {fault: drop}\n" * (MOST_RULES + 1))
    assert (read, [str(one) for one in problems]) == (
        (),
        [f"faults.yaml:1: faults: expected at most {MOST_RULES} rules, found {MOST_RULES + 1}"],
    )
    assert len(read_text(tmp_path, "faults:\n" + "- {fault: drop}\n" * MOST_RULES)[0]) == MOST_RULES


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_has_words_for_itself_and_its_parameters(kind: Kind) -> None:
    assert kind.about.endswith(".")
    assert all(isinstance(parameter, Parameter) and parameter.about for parameter in kind.takes.values())
    assert not {"fault", "when", "probability", "count", "skip"} & kind.takes.keys()
    assert set(kind.one_of) <= kind.takes.keys()


def profiles(folder: Path, **files: str) -> tuple[Any, list[str]]:
    (folder / "profiles").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "profiles" / name.replace("__", ".").replace("_", "-")).write_text(text, encoding="utf-8")
    report = Report()
    read = read_profiles(folder, report)
    try:
        report.close()
    except FixtureError as error:
        return read, str(error).splitlines()
    return read, []


def test_a_profile_has_a_name_words_and_rules(tmp_path: Path) -> None:
    read, problems = profiles(
        tmp_path, one_two__yaml="about: 둘\nfaults: [{fault: drop}, {fault: swap}]", b__yml="faults: []"
    )
    assert problems == []
    assert list(read) == ["b", "one-two"]
    assert (read["one-two"].about, [rule.kind.name for rule in read["one-two"]]) == ("둘", ["drop", "swap"])
    assert read["one-two"][1].source == "profiles/one-two.yaml:2"


def test_what_is_wrong_with_profiles_is_told(tmp_path: Path) -> None:
    _, problems = profiles(
        tmp_path,
        a__yaml="faults: [{fault: x}]",
        a__yml="faults: []",
        b__yaml="about: nothing else",
        ein_wort__zu__viel__yaml="faults: []",
    )
    assert [line.partition(", found")[0].partition(" one of")[0] for line in problems] == [
        "profiles/a.yaml:1: fault: expected",
        "profiles/a.yml:1: file: expected each profile once",
        "profiles/b.yaml:1: faults: expected this key",
        "profiles/ein-wort.zu.viel.yaml:1: file: expected a name of 1 to 64 of A-Z a-z 0-9 _ -",
    ]


def test_a_list_in_a_request_is_read_the_same_way(tmp_path: Path) -> None:
    """What the control plane gets is one rule or a list; both are items."""
    file = tmp_path / "body.json"
    file.write_text('[{"fault": "drop"},\n {"fault": "delay", "seconds": "1"}]', encoding="utf-8")
    root, _ = read_document(file, "body")
    assert root is not None
    report = Report()
    read_rules(Item.whole_file(root, "body", report))
    with pytest.raises(FixtureError, match=r'^body:2: seconds: expected a number from 0 to 86400, found "1"$'):
        report.close()
