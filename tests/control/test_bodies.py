"""Bodies near what is right and far from it: an error that names a place, or taken whole; never half."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.emulation.faults.kinds import KINDS
from app.emulation.faults.rules import WHEN
from app.emulation.fixtures import KEYS
from tests.control.conftest import Control
from tests.live import Json

EXAMPLES = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

ODD = ("", "\0", "\ud83d", "😀", "ha\nha", "{{msg}}", "{{who}}", "(", "true")
text = st.one_of(st.text(max_size=8), st.sampled_from(ODD))
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.integers(-2, 3), st.floats(), text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
word = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
sound_condition = st.one_of(word, st.builds(lambda part: {"contains": part}, word), st.just({"regex": "^a.*$"}))
SOUND: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("seconds", "after_seconds"), st.floats(0, 100)),
    **dict.fromkeys(("after_frames", "after_tokens", "connections", "times", "bytes", "tries"), st.integers(1, 100)),
    **dict.fromkeys(("probability", "keep"), st.floats(0, 1)),
    **dict.fromkeys(("count", "skip"), st.integers(1, 5)),
    **dict.fromkeys(("remove", "order"), st.lists(word, max_size=3)),
    "code": st.integers(1000, 1003),
    "reason": word,
    "status": st.integers(400, 599),
    "body": anything,
    "text": word,
    "set": st.dictionaries(word, anything, max_size=2),
    "rename": st.dictionaries(word, word),
    "per_second": st.floats(1, 100),
    "factor": st.floats(1, 10),
    "balance": st.integers(0, 99),
    "as": st.sampled_from(["unusable", "unknown"]),
    "operation": st.sampled_from(["any", "read", "write"]),
}
"""What a rule may have, by its key."""


@st.composite
def spoiled(draw: st.DrawFn, whole: st.SearchStrategy[Json]) -> Any:
    """What is right, or that with something wrong in it somewhere."""
    found = draw(whole)
    spoil = draw(st.sampled_from(["nothing", "nothing", "a value", "a key", "all"]))
    if spoil == "all":
        return draw(anything)
    if spoil == "a value" and found:
        found[draw(st.sampled_from(sorted(found)))] = draw(anything)
    elif spoil == "a key":
        found[draw(text)] = draw(anything)
    return found


@st.composite
def sound_rules(draw: st.DrawFn) -> Json:
    kind = draw(st.sampled_from(list(KINDS.values())))
    needed = {name for name, parameter in kind.takes.items() if parameter.required}
    free = sorted(set(kind.takes) - set(kind.one_of[1:]))
    wanted = needed | draw(st.sets(st.sampled_from(free))) if free else needed
    if kind.name == "edit":
        wanted.add("remove")
    rule = {"fault": kind.name, **{name: draw(SOUND[name]) for name in sorted(wanted)}}
    for name in draw(st.sets(st.sampled_from(["probability", "count", "skip"]))):
        rule[name] = draw(SOUND[name])
    when = {name: draw(sound_condition) for name in draw(st.sets(st.sampled_from(WHEN), max_size=3))}
    if "turn" in when:
        when["turn"] = draw(st.integers(1, 9))
    return {**rule, "when": when} if when else rule


@st.composite
def sound_entries(draw: st.DrawFn) -> Json:
    names = draw(st.sets(st.sampled_from(["msg", "room_uid", "space", "turn", "scene_number"]), min_size=1))
    numbers = st.integers(1, 7)
    when = {name: draw(numbers if name in ("turn", "scene_number") else sound_condition) for name in sorted(names)}
    answer: Json = draw(
        st.sampled_from([{"reply": "네 {{msg}}"}, {"tokens": ["하", "나"]}, {"error": {"status": 429, "body": {}}}])
    )
    entry = {"when": when, **answer}
    if draw(st.booleans()):
        entry["pace"] = {"first": draw(st.floats(0, 1)), "per_second": 0}
    if draw(st.booleans()):
        entry["choices"] = [{"text": draw(word)}]
    return entry


rules = spoiled(sound_rules())
entries = spoiled(sound_entries())


def encoded(body: Any) -> bytes:
    """JSON as clients write it, halves of emojis and NaN included."""
    return json.dumps(body).encode()


def check(control: Control, noun: str, body: Any) -> None:
    control.ask("DELETE", f"/{noun}")
    before = control.get(f"/{noun}")
    answer = control.http.post(f"/{noun}", content=encoded(body), headers={"content-type": "application/json"})
    after = control.get(f"/{noun}")
    told = answer.json()
    if answer.status_code == 201:
        several = isinstance(body, dict) and noun in body
        assert len(told[noun]) == (len(body[noun]) if several else 1)
        new = [one for one in after[noun] if one not in before[noun]]
        assert sorted(map(str, new)) == sorted(map(str, told[noun]))
        again = [{key: one[key] for key in one.keys() - {"id", "strikes", "source"}} for one in told[noun]]
        assert control.post(f"/{noun}", {noun: again}, 201), "what is told can be sent again"
        control.ask("DELETE", f"/{noun}")
    else:
        assert answer.status_code == 400, answer.text
        place, colon, _ = told["message"].partition(": ")
        assert place
        assert colon
        assert "\n" not in told["message"]
        assert after == before


@EXAMPLES
@given(body=st.one_of(rules, st.lists(rules, max_size=3).map(lambda listed: {"faults": listed}), anything))
def test_faults_are_taken_whole_or_not_at_all(control: Control, body: Any) -> None:
    check(control, "faults", body)


@EXAMPLES
@given(body=st.one_of(entries, st.lists(entries, max_size=3).map(lambda listed: {"replies": listed}), anything))
def test_replies_are_taken_whole_or_not_at_all(control: Control, body: Any) -> None:
    check(control, "replies", body)


@EXAMPLES
@given(
    body=st.one_of(
        st.fixed_dictionaries(
            {"uid": st.sampled_from(["a", "b", "test", "x y"])},
            optional={name: st.one_of(text, st.integers(0, 2), anything) for name in KEYS["space"] if name != "uid"},
        ),
        anything,
    )
)
def test_spaces_are_taken_whole_or_not_at_all(control: Control, body: Any) -> None:
    before = control.get("/spaces")
    answer = control.http.post("/spaces", content=encoded(body), headers={"content-type": "application/json"})
    after = control.get("/spaces")
    if answer.status_code == 201:
        made = answer.json()
        assert made in after["spaces"]
        default = next(space["uid"] for space in before["spaces"] if space["default"])
        control.ask("PATCH", f"/spaces/{default}", {"default": True})
        control.ask("DELETE", f"/spaces/{made['uid']}")
        assert control.post("/spaces", made, 201) == made, "what is told can be sent again"
        control.ask("PATCH", f"/spaces/{default}", {"default": True})
        control.ask("DELETE", f"/spaces/{made['uid']}")
        assert control.get("/spaces") == before
    else:
        assert answer.status_code in (400, 409), answer.text
        assert ": " in answer.json()["message"]
        assert after == before


@EXAMPLES
@given(content=st.one_of(st.binary(max_size=40), text.map(lambda some: some.encode("utf-8", "replace"))))
def test_bytes_that_are_no_json_are_refused(control: Control, content: bytes) -> None:
    for path in ("/faults", "/replies", "/spaces", "/clock/advance", "/reset", "/replies/explain"):
        answer = control.http.post(path, content=content)
        assert answer.status_code in (200, 201, 400), answer.text
        if answer.status_code == 400:
            assert ": " in answer.json()["message"]
