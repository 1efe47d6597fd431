"""The rules in force: what matches, how the dice fall, what is counted where, what comes and goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.emulation.determinism import Ids
from app.emulation.faults.kinds import KINDS, Place
from app.emulation.faults.live import MOST_ROOMS, Dice, Faults, LiveRule, TooManyFaults
from app.emulation.faults.rules import MOST_RULES, Profile
from app.emulation.occasions import Occasion
from tests.emulation.faults.written import rules

HERE = Occasion(
    wire="chldo", room="r1", user="u1", key="k1", message="안녕하세요", action="sendmsg", turn=2, frame="stream"
)
DICE = Ids.seeded(1)


def live(**rule: Any) -> LiveRule:
    return LiveRule("f1", rules({"fault": "drop", **rule})[0])


def run(rule: LiveRule, times: int, occasion: Occasion = HERE, dice: Ids = DICE) -> list[int]:
    """Which of so many occasions it strikes, from 0."""
    return [number for number in range(times) if rule.strike(occasion, dice)]


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ({}, True),
        ({"wire": "chldo"}, True),
        ({"wire": "hashee"}, False),
        ({"room": "r1"}, True),
        ({"room": {"contains": "1"}}, True),
        ({"room": {"regex": "^r[0-9]$"}}, True),
        ({"room": "r2"}, False),
        ({"user": "u1"}, True),
        ({"user": {"contains": "2"}}, False),
        ({"key": "k1"}, True),
        ({"key": {"regex": "^x"}}, False),
        ({"message": "안녕하세요"}, True),
        ({"message": {"contains": "안녕"}}, True),
        ({"message": {"regex": "요$"}}, True),
        ({"message": "안녕"}, False),
        ({"message": None}, False),
        ({"action": "sendmsg"}, True),
        ({"action": "greeting"}, False),
        ({"turn": 2}, True),
        ({"turn": 3}, False),
        ({"frame": "stream"}, True),
        ({"frame": "END"}, False),
        ({"room": "r1", "user": "u1", "turn": 2, "frame": {"contains": "str"}}, True),
        ({"room": "r1", "user": "u2"}, False),
    ],
)
def test_a_rule_holds_for_what_it_asks(when: dict[str, Any], holds: bool) -> None:
    assert live(when=when).strike(HERE, DICE) is holds


def test_texts_are_compared_composed() -> None:
    decomposed = "\u110b\u1161\u11ab\u1102\u1167\u11bc\u1112\u1161\u1109\u1166\u110b\u116d"
    assert live(when={"message": decomposed}).strike(HERE, DICE)
    assert live(when={"message": "안녕하세요"}).strike(replace(HERE, message=decomposed), DICE)


def test_nothing_said_is_matched_by_null() -> None:
    assert live(when={"message": None}).strike(replace(HERE, message=None), DICE)


def test_skip_and_count_are_of_a_room() -> None:
    rule = live(skip=2, count=3)
    assert run(rule, 8) == [2, 3, 4]
    assert run(rule, 8, replace(HERE, room="r2")) == [2, 3, 4]
    assert run(rule, 8, replace(HERE, wire="other")) == [2, 3, 4]
    assert rule.strikes == 9


def test_without_a_room_the_user_counts() -> None:
    rule = live(count=1)
    assert [run(rule, 3, Occasion(wire="chldo", user=user)) for user in ("a", "b", "a")] == [[0], [0], []]


def test_what_does_not_match_is_neither_skipped_nor_counted() -> None:
    rule = live(when={"frame": "END"}, skip=1, count=1)
    assert run(rule, 5) == []
    assert run(rule, 5, replace(HERE, frame="END")) == [1]


def test_the_dice_fall_as_often_as_they_should_and_always_the_same() -> None:
    rule = live(probability=0.2)
    struck = run(rule, 10_000, dice=Ids.seeded(7))
    assert 1_840 < len(struck) < 2_160  # four standard deviations
    assert run(live(probability=0.2), 10_000, dice=Ids.seeded(7)) == struck
    assert run(live(probability=0.2), 10_000, dice=Ids.seeded(8)) != struck
    assert run(live(probability=0), 100) == []
    assert run(live(probability=1), 100) == list(range(100))


def test_each_place_and_each_line_of_events_throws_for_itself() -> None:
    def thrown(ids: Ids, *places: Place) -> list[float]:
        dice = Dice(ids)
        return [dice.at(place).fraction() for place in places]

    seeded = Ids.seeded(3)
    alone = thrown(seeded.branch("a"), Place.FRAME, Place.FRAME)
    among = thrown(seeded.branch("a"), Place.VOICE, Place.FRAME, Place.TURN, Place.FRAME)
    assert [among[1], among[3]] == alone
    assert len({*among, *thrown(seeded.branch("b"), Place.FRAME)}) == 5


def test_forgetting_is_of_a_room_of_a_wire_or_of_all() -> None:
    rule = live(count=1)
    rooms = [replace(HERE, room=room, wire=wire) for wire in ("a", "b") for room in ("r1", "r2")]
    for wire, room, again in (("a", "r1", 1), ("a", None, 2), (None, "r1", 2), (None, None, 4)):
        rule.forget()
        assert sum(len(run(rule, 3, one)) for one in rooms) == 4
        rule.forget(wire, room)
        assert rule.strikes == 4 - again
        assert sum(len(run(rule, 3, one)) for one in rooms) == again
        assert rule.strikes == 4


def test_a_strike_that_did_not_come_about_may_come_later() -> None:
    rule = live(count=1)
    assert rule.strike(HERE, DICE)
    assert not rule.strike(HERE, DICE)
    rule.take_back(HERE)
    assert rule.strikes == 0
    assert rule.strike(HERE, DICE)


def test_rooms_are_forgotten_before_they_fill_the_memory() -> None:
    rule = live(count=1)
    for number in range(MOST_ROOMS + 1):
        assert rule.strike(replace(HERE, room=str(number)), DICE)
    assert len(rule._rooms) == MOST_ROOMS
    assert not rule.strike(replace(HERE, room=str(MOST_ROOMS)), DICE)
    assert rule.strike(replace(HERE, room="0"), DICE)


def names(faults: Faults) -> list[tuple[str, str]]:
    return [(rule.id, rule.rule.kind.name) for rule in faults]


def test_rules_come_and_go_in_their_order_and_everybody_hears() -> None:
    faults, heard = Faults(), []
    faults.changed.append(lambda: heard.append(len(faults)))
    one, two = faults.add(rules({"fault": "drop"}, {"fault": "hang"}), source="control")
    assert (len(faults), faults.get("f2"), one.rule.source) == (2, two, "control")
    assert [live.rule.kind.name for live in faults.at(Place.FRAME)] == ["drop"]
    assert faults.remove("f1")
    assert not faults.remove("f1")
    assert names(faults) == [("f2", "hang")]
    assert faults.strike(Place.FRAME, HERE, DICE) == ()
    assert faults.strike(Place.TURN, HERE, DICE) == (two,)
    assert faults.clear() == 1
    assert heard == [2, 1, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_what_frames_have_to_be_looked_at_for_is_known(kind: str) -> None:
    given: dict[str, Any] = {"seconds": 1, "per_second": 1, "set": {"a": 1}}
    rule: dict[str, Any] = {"fault": kind, **{key: given[key] for key in given if key in KINDS[kind].takes}}
    faults = Faults()
    faults.add(rules(rule))
    place = KINDS[kind].place
    assert faults.on_frames == (place in (Place.FRAME, Place.END))
    assert faults.on_sockets == (place in (Place.FRAME, Place.END, Place.CONNECTION))
    faults.add(rules({**rule, "when": {"frame": "END"}}))
    assert faults.on_frames == faults.on_sockets == (place in (Place.FRAME, Place.END, Place.CONNECTION))
    faults.clear()
    assert not faults.on_frames
    assert not faults.on_sockets


def test_more_rules_than_there_may_be_are_refused_whole() -> None:
    faults = Faults()
    faults.replace(rules(*[{"fault": "drop"}] * MOST_RULES), origin="fixtures")
    faults.add(rules(*[{"fault": "drop"}] * (MOST_RULES - 1)))
    with pytest.raises(TooManyFaults, match="at most 1000 faults"):
        faults.add(rules({"fault": "hang"}, {"fault": "hang"}))
    assert len(faults) == 2 * MOST_RULES - 1
    faults.profiles = {"p": Profile(rules({"fault": "hang"}, {"fault": "hang"}))}
    with pytest.raises(TooManyFaults):
        faults.use("p")
    assert len(faults) == 2 * MOST_RULES - 1
    assert faults.used == []
    faults.add(rules({"fault": "hang"}))


def test_what_stays_in_the_files_keeps_its_counts_wherever_it_stands() -> None:
    faults = Faults()
    faults.add(rules({"fault": "swap"}), source="control")
    faults.replace(rules({"fault": "drop", "count": 1}, {"fault": "drop", "count": 1}), origin="fixtures")
    first, second, control = faults
    assert [one.rule.source for one in faults] == ["fixtures:rules.json:1", "fixtures:rules.json:1", "control"]
    assert len(faults.strike(Place.FRAME, HERE, DICE)) == 3
    moved = [replace(rule, source="faults.yaml:9") for rule in rules({"fault": "hang"}, {"fault": "drop", "count": 1})]
    faults.replace(moved, origin="fixtures")
    assert [one.rule.kind.name for one in faults] == ["hang", "drop", "swap"]
    assert list(faults)[1] is first
    assert first.rule.source == "fixtures:faults.yaml:9"
    assert (first.strikes, control.strikes, faults.get(second.id)) == (1, 1, None)
    assert faults.strike(Place.FRAME, HERE, DICE) == (control,)
    faults.replace(rules({"fault": "drop", "count": 2}), origin="fixtures")
    assert next(iter(faults)) is not first, "another rule"


def test_profiles_are_used_anew_followed_and_left() -> None:
    faults = Faults()
    faults.take(rules({"fault": "swap"}), {"a": Profile(rules({"fault": "drop", "count": 1})), "b": Profile()})
    with pytest.raises(KeyError):
        faults.use("c")
    (used,) = faults.use("a")
    faults.use("b")
    assert used.rule.source == "profile:a:rules.json:1"
    assert used.strike(HERE, DICE)
    (again,) = faults.use("a")
    assert again.strikes == 0, "it begins anew"
    assert [one.rule.kind.name for one in faults] == ["swap", "drop"]
    assert faults.used == ["a", "b"]
    faults.take((), {"a": Profile(rules({"fault": "hang"}))})
    assert [one.rule.kind.name for one in faults] == ["hang"]
    assert faults.used == ["a"], "a profile that is gone is no longer used"
    faults.take((), {"ab": Profile(rules({"fault": "hang"}))})
    assert (list(faults), faults.used) == ([], [])
    faults.use("ab")
    assert faults.clear("profile:a") == 0
    assert faults.clear("profile:ab") == 1
    assert faults.used == []


@pytest.mark.parametrize(
    ("take_out", "left"),
    [
        (lambda faults: faults.clear(), []),
        (lambda faults: faults.clear("profile"), ["fixtures:rules.json:1", "control"]),
        (lambda faults: faults.clear("control"), ["fixtures:rules.json:1", "profile:a:rules.json:1"]),
        (lambda faults: faults.clear("fixtures"), ["control", "profile:a:rules.json:1"]),
        (lambda faults: faults.keep("fixtures"), ["fixtures:rules.json:1"]),
        (lambda faults: faults.keep("profile:a"), ["profile:a:rules.json:1"]),
    ],
)
def test_a_profile_whose_rules_were_taken_out_does_not_come_back(
    take_out: Callable[[Faults], int], left: list[str]
) -> None:
    faults = Faults()
    profiles = {"a": Profile(rules({"fault": "drop"}))}
    faults.take(rules({"fault": "swap"}), profiles)
    faults.add(rules({"fault": "hang"}), source="control")
    faults.use("a")
    assert take_out(faults) == 3 - len(left)
    assert [one.rule.source for one in faults] == left
    fixtures = rules({"fault": "swap"}) if "fixtures:rules.json:1" in left else ()
    faults.take(fixtures, profiles)
    assert [one.rule.source for one in faults] == left
