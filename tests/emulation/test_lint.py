"""What is said in vain: certain shadows are named, doubtful ones are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from app.emulation.fixtures import load_fixtures
from app.emulation.lint import Verdict, covers, judge
from app.emulation.replies import Reply, ReplyAsk, ReplyBook
from app.settings import shipped
from tests.emulation.test_replies import ASKS, WHENS


def judged(folder: Path, *whens: dict[str, Any]) -> Verdict:
    """The verdict on one reply file with an entry on each line from 2 on."""
    (folder / "replies").mkdir(parents=True)
    (folder / "spaces.yaml").write_text("spaces: [{uid: a, default: true}]", encoding="utf-8")
    lines = [f"- {json.dumps({'when': when, 'reply': 'x'}, ensure_ascii=False)}" for when in whens]
    (folder / "replies" / "r.yaml").write_text("\n".join(["replies:", *lines]), encoding="utf-8")
    return judge(folder)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"msg": "a"}, {"msg": "a"}),
        ({"msg": "a"}, {"msg": "a", "turn": 2}),
        ({"msg": {"contains": "a"}}, {"msg": "bab"}),
        ({"msg": {"contains": "a"}}, {"msg": {"contains": "ab"}}),
        ({"msg": {"regex": "^a"}}, {"msg": "ab"}),
        ({"msg": {"regex": "^a"}}, {"msg": {"regex": "^a"}, "language": "ko"}),
        ({"msg": {"regex": ".*"}}, {"msg": {"contains": "x"}}),
        ({"space": {"regex": ".*"}}, {"msg": "x"}),
        ({"msg": None}, {"msg": None, "turn": 1}),
        ({"language": "ko"}, {"msg": {"regex": "x"}, "language": "ko"}),
        ({"msg": "e\u0301"}, {"msg": "é"}),
    ],
)
def test_an_entry_behind_a_wider_one_is_named(tmp_path: Path, earlier: Any, later: Any) -> None:
    (remark,) = judged(tmp_path, earlier, later).remarks
    assert (remark.severity, remark.file, remark.line) == ("warning", "replies/r.yaml", 3)
    assert "replies/r.yaml:2" in remark.message


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"msg": "a", "turn": 2}, {"msg": "a"}),
        ({"msg": "a"}, {"msg": "b"}),
        ({"msg": {"contains": "ab"}}, {"msg": {"contains": "a"}}),
        ({"msg": {"regex": "^a.*"}}, {"msg": {"contains": "a"}}),
        ({"msg": {"regex": ".*"}}, {"msg": None}),
        ({"msg": {"regex": ".*"}}, {"turn": 1}),
        ({"msg": {"contains": "a"}}, {"msg": None}),
        ({"msg": {"regex": "^.*$"}}, {"msg": {"contains": "\n"}}),
        ({"turn": 1}, {"turn": 2}),
    ],
)
def test_an_entry_that_may_answer_is_left_alone(tmp_path: Path, earlier: Any, later: Any) -> None:
    assert not judged(tmp_path, earlier, later).remarks


@given(wide=WHENS, narrow=WHENS, ask=ASKS)
@settings(max_examples=400, deadline=None)
def test_what_is_called_covered_never_answers(
    wide: dict[str, Any], narrow: dict[str, Any], ask: ReplyAsk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("lint")
    judged(folder, wide, narrow)
    first, second = load_fixtures(folder).replies.entries
    if covers(first.when, second.when):
        assert ReplyBook([first, second]).match(ask).source != second.reply.source


def test_a_space_or_scene_that_cannot_be_asked_for_is_named(tmp_path: Path) -> None:
    verdict = judged(tmp_path, {"space": "b"}, {"space": {"regex": "^[ab]"}}, {"msg": "x", "scene_number": 8})
    assert [(remark.line, remark.key) for remark in verdict.remarks] == [(2, "when.space"), (4, "when.scene_number")]
    assert verdict.count("error") == 0


def test_a_second_default_is_named(tmp_path: Path) -> None:
    (tmp_path / "replies").mkdir()
    (tmp_path / "spaces.yaml").write_text("spaces: [{uid: a, default: true}]", encoding="utf-8")
    for name in "ab":
        (tmp_path / "replies" / f"{name}.yaml").write_text("default: {reply: x}", encoding="utf-8")
    (remark,) = judge(tmp_path).remarks
    assert (remark.file, remark.line, remark.key) == ("replies/b.yaml", 1, "default")
    assert "replies/a.yaml:1" in remark.message


def test_thousands_of_exact_entries_are_compared_by_their_text_only(tmp_path: Path) -> None:
    verdict = judged(tmp_path, *({"msg": f"질문 {number}"} for number in range(3_000)), {"msg": "질문 7"})
    assert [remark.line for remark in verdict.remarks] == [3_002]


def test_errors_come_without_warnings(tmp_path: Path) -> None:
    verdict = judged(tmp_path, {"msg": "a"}, {"msg": "a"}, {"turn": 0})
    assert [(remark.severity, remark.line, remark.key) for remark in verdict.remarks] == [("error", 4, "when.turn")]


def test_the_shipped_fixtures_say_nothing_in_vain() -> None:
    assert judge(shipped("fixtures")).remarks == ()
    assert load_fixtures(shipped("fixtures")).replies.default != Reply()


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        ("{fault: drop, probability: 0}", "probability"),
        ("{fault: hang, when: {frame: END}}", "when.frame"),
        ("{fault: voice-failed, when: {frame: voice_ready}}", "when.frame"),
        ("{fault: refuse, when: {message: 안녕}}", "when.message"),
        ("{fault: flap, when: {key: k, room: r}}", "when.key"),
        ("{fault: handshake-delay, seconds: 1, when: {turn: 1}}", "when.turn"),
        ("{fault: store-full, when: {room: r}}", "when.room"),
        ("{fault: key-revoked, when: {frame: START}}", "when.frame"),
    ],
)
def test_a_fault_that_can_never_strike_is_named(tmp_path: Path, rule: str, key: str) -> None:
    judged(tmp_path, {"msg": "x"})
    (tmp_path / "profiles").mkdir()
    for file in ("faults.yaml", "profiles/p.yaml"):
        (tmp_path / file).write_text(f"faults:\n- {{fault: drop}}\n- {rule}\n", encoding="utf-8")
    remarks = judge(tmp_path).remarks
    assert [(one.severity, one.file, one.line, one.key) for one in remarks] == [
        ("warning", file, 3, key) for file in ("faults.yaml", "profiles/p.yaml")
    ]
    assert all(one.message.startswith("can never strike: ") for one in remarks)


@pytest.mark.parametrize(
    "rule",
    [
        "{fault: close, when: {frame: END, message: x}}",
        "{fault: no-end, when: {frame: END}}",
        "{fault: hang, when: {message: ~, frame: {regex: '.*'}}}",
        "{fault: refuse, when: {wire: chldo, room: r, user: u}}",
        "{fault: refuse, when: {message: ~}}",
        "{fault: drop}\n- {fault: drop}",
    ],
)
def test_a_fault_that_may_strike_is_left_alone(tmp_path: Path, rule: str) -> None:
    judged(tmp_path, {"msg": "x"})
    (tmp_path / "faults.yaml").write_text(f"faults:\n- {rule}\n", encoding="utf-8")
    assert judge(tmp_path).remarks == ()
