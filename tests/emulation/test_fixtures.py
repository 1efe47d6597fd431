"""The fixtures folder: what loads, and what each mistake is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.emulation.fixtures import KEYS, FixtureError, Fixtures, load_fixtures
from app.emulation.replies import Choice, ReplyAsk, ToolCall
from app.spaces.models import ApiKey, Space, SpaceSeed

ONE_SPACE = "spaces: [{uid: a, default: true}]"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "replies").mkdir()
    (tmp_path / "spaces.yaml").write_text(ONE_SPACE, encoding="utf-8")
    return tmp_path


def with_replies(folder: Path, text: str, name: str = "10-mine.yaml") -> Fixtures:
    (folder / "replies" / name).write_text(text, encoding="utf-8")
    return load_fixtures(folder)


def problems(folder: Path) -> list[str]:
    with pytest.raises(FixtureError) as caught:
        load_fixtures(folder)
    assert str(caught.value) == "\n".join(str(problem) for problem in caught.value.problems)
    return str(caught.value).splitlines()


def problems_of(folder: Path, text: str, name: str = "10-mine.yaml") -> list[str]:
    (folder / "replies" / name).write_text(text, encoding="utf-8")
    return [line.removeprefix(f"replies/{name}:") for line in problems(folder)]


def problems_of_spaces(folder: Path, text: str) -> list[str]:
    (folder / "spaces.yaml").write_text(text, encoding="utf-8")
    return [line.removeprefix("spaces.yaml:") for line in problems(folder)]


# Spaces


def test_a_space_needs_no_more_than_a_uid(folder: Path) -> None:
    space = Space(
        uid="a",
        org_id="org_a",
        name="a",
        credit=1_000_000,
        credit_per_turn=0,
        return_voice=0,
        sentence_mode=True,
        language="ko",
        model="scripted",
        graph="companion",
        prompt="",
        default=True,
    )
    assert load_fixtures(folder).spaces == (SpaceSeed(space, ()),)


def test_every_key_of_a_space_is_taken(folder: Path) -> None:
    (folder / "spaces.yaml").write_text(
        """
spaces:
  - uid: b
    name: 이름
    org_id: org_x
    api_keys: [one, {key: two, usable: false}, {key: three}]
    credit: 99
    credit_per_turn: 7
    return_voice: 1
    sentence_mode: false
    language: no
    model: gpt-4o
    graph: other
    prompt: "안녕 {{visitor_name}}"
    default: true
""",
        encoding="utf-8",
    )
    (seed,) = load_fixtures(folder).spaces
    prompt = "안녕 {{visitor_name}}"
    assert seed.space == Space("b", "org_x", "이름", 99, 7, 1, False, "no", "gpt-4o", "other", prompt, True)
    assert seed.keys == (ApiKey("one", True), ApiKey("two", False), ApiKey("three", True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1: file: expected a mapping with spaces, found nothing"),
        ("- uid: a", "1: file: expected a mapping with spaces, found a list of 1"),
        ("{}", "1: spaces: expected this key, found nothing"),
        ("spaces: []", "1: spaces: expected exactly one space with default: true, found 0 of 0"),
        ("spaces: [{uid: a}]", "1: spaces: expected exactly one space with default: true, found 0 of 1"),
        (
            "spaces:\n- {uid: a, default: true}\n- {uid: b, default: true}",
            "3: spaces[1]: expected exactly one space with default: true, found 2 of 2",
        ),
        ("spaces: [{default: true}]", "1: uid: expected this key, found nothing"),
        ("spaces: [{uid: a b, default: true}]", '1: uid: expected 1 to 64 of A-Z a-z 0-9 _ . -, found "a b"'),
        (
            "spaces:\n- {uid: a, default: true}\n- uid: a\n  org_id: b",
            "3: uid: expected each uid once, found it again (first on line 2)",
        ),
        (
            "spaces:\n- {uid: a, default: true, org_id: o}\n- {uid: b, org_id: o}",
            "3: org_id: expected each org_id once, found it again (first on line 2)",
        ),
        (
            "spaces:\n- {uid: a, default: true, api_keys: [k]}\n- uid: b\n  api_keys:\n  - key: k",
            "5: api_keys[0].key: expected each api_key once, found it again (first on line 2)",
        ),
        (
            "spaces:\n- uid: a\n  default: true\n  api_keys: [x, 123]",
            "4: api_keys[1]: expected one line of text, 1 to 200 characters, in quotes, found something else",
        ),
        ("spaces: [{uid: a, default: yes}]", '1: default: expected true or false, found "yes"'),
        (
            "spaces: [{uid: a, default: true, return_voice: true}]",
            "1: return_voice: expected a whole number from 0 to 1, found true",
        ),
        (
            "spaces: [{uid: a, default: true, credit: 1.5}]",
            "1: credit: expected a whole number from 0 to 9223372036854775807, found 1.5",
        ),
        ("spaces: [{uid: a, default: true, api_keys: k}]", '1: api_keys: expected a list, found "k"'),
        ("spaces: [{uid: a, default: true, prompt: 3}]", "1: prompt: expected text, in quotes, found 3"),
        (
            "spaces: [{uid: a, default: true, name: ''}]",
            "1: name: expected one line of text, 1 to 200 characters, found",
        ),
        ("spaces: [{uid: a, default: true, typo: 1}]", "1: typo: expected one of uid, name, org_id, api_keys, credit,"),
    ],
)
def test_a_mistake_in_spaces_is_told_with_line_key_and_what_was_expected(
    folder: Path, text: str, expected: str
) -> None:
    assert any(line.startswith(expected) for line in problems_of_spaces(folder, text))


def test_a_key_is_never_shown(folder: Path) -> None:
    keys = "[s3cret, s3cret, {s3cret: 1}, [s3cret], 53237]"
    text = f"spaces:\n- {{uid: a, default: true, api_keys: {keys}}}\n- api_keys: {{s3cret: 1}}"
    told = problems_of_spaces(folder, text)
    assert len(told) == 7
    assert not any("s3cret" in line or "53237" in line for line in told)


# Replies


def test_all_forms_of_a_reply_are_taken(folder: Path) -> None:
    book = with_replies(
        folder,
        """
pace: {first: 0.5}
replies:
  - when: {msg: text}
    reply: answer
  - when: {msg: tokens}
    tokens: [네, ",", " 가"]
    pace: {first: 0.4, per_second: 30}
  - when: {msg: error}
    error: {status: 404, body: {status: failure, parts: [1, 2.5, null, true]}}
""",
    ).replies
    text, tokens, error = (book.match(ReplyAsk(msg)) for msg in ("text", "tokens", "error"))
    assert (text.text, text.tokens, text.error, text.source) == ("answer", None, None, "replies/10-mine.yaml:4")
    assert text.pace is not None
    assert (text.pace.first, text.pace.per_second) == (0.5, 0.0)
    assert (tokens.text, tokens.tokens) == (None, ("네", ",", " 가"))
    assert tokens.pace is not None
    assert (tokens.pace.first, tokens.pace.per_second) == (0.4, 30.0)
    assert error.error is not None
    assert (error.error.status, error.error.body) == (
        404,
        {"status": "failure", "parts": [1, 2.5, None, True]},
    )


def test_choices_and_tool_calls_stand_beside_the_answer(folder: Path) -> None:
    book = with_replies(
        folder,
        """
replies:
  - when: {msg: choices}
    tokens: [네]
    choices: [{text: 좋아요}, {text: 아니요, tone: 공손한}]
  - when: {msg: none}
    error: {status: 500, body: x}
    choices: []
  - when: {msg: tools}
    reply: "맑아요, {{visitor_name}}님."
    tool_calls: [{name: weather, args: {city: 서울, days: [1, 2.5, null]}}, {name: now}]
    choices: [{text: "{{msg}}"}]
default: {reply: x, tool_calls: [{name: d}]}
""",
    ).replies
    choices, none, tools, other = (book.match(ReplyAsk(msg)) for msg in ("choices", "none", "tools", "other"))
    assert choices.choices == (Choice("좋아요", "중립적"), Choice("아니요", "공손한"))
    assert (choices.tokens, choices.tool_calls) == (("네",), ())
    assert none.choices == ()
    assert (tools.text, tools.choices) == ("맑아요, 님.", (Choice("{{msg}}", "중립적"),))
    assert tools.tool_calls == (ToolCall("weather", {"city": "서울", "days": [1, 2.5, None]}), ToolCall("now", {}))
    assert (other.choices, other.tool_calls) == (None, (ToolCall("d", {}),))


def test_files_are_tried_in_the_order_of_their_names(folder: Path) -> None:
    for name in ("b.yaml", "a.json", "c.yml"):
        text = json.dumps({"replies": [{"when": {"msg": "x"}, "reply": name}], "default": {"reply": name}})
        (folder / "replies" / name).write_text(text, encoding="utf-8")
    for name in (".#a.yaml", "notes.md"):
        (folder / "replies" / name).write_text("no fixture: [", encoding="utf-8")
    book = load_fixtures(folder).replies
    assert [entry.reply.text for entry in book.entries] == ["a.json", "b.yaml", "c.yml"]
    assert book.match(ReplyAsk("x")).text == "a.json"
    assert book.match(ReplyAsk("else")).text == "a.json"


def test_without_a_default_the_message_comes_back(folder: Path) -> None:
    (folder / "replies").rmdir()
    book = load_fixtures(folder).replies
    assert book.match(ReplyAsk("메아리")).text == "메아리"
    assert book.match(ReplyAsk(None)).text == "…"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1: file: expected a mapping with one of replies, default, pace, found nothing"),
        ("replies: 3", "1: replies: expected a list, found 3"),
        ("reply: []", "1: reply: expected one of replies, default, pace, found an unknown key"),
        ("replies:\n- x", "2: replies[0]: expected a mapping with one of when, reply, tokens, json, error, choices, "),
        ("replies:\n- reply: x", "2: when: expected this key, found nothing"),
        ("replies:\n- when: {}\n  reply: x", "2: when: expected at least one of msg, space,"),
        ("replies:\n- when: {msg: x}", "2: replies[0]: expected exactly one of reply, tokens, json, error, found none"),
        (
            "replies:\n- when: {msg: x}\n  reply: x\n  tokens: [x]",
            "2: replies[0]: expected exactly one of reply, tokens, json, error, found reply and tokens",
        ),
        ("default: {}", "1: default: expected exactly one of reply, tokens, json, error, found none of them"),
        (
            "default:\n  when: {msg: x}\n  reply: x",
            "2: default.when: expected one of reply, tokens, json, error, choices, ",
        ),
        ("default: {reply: ''}", '1: default.reply: expected text that is not empty, found ""'),
        ("default: {reply: 3}", "1: default.reply: expected text that is not empty, in quotes, found 3"),
        ("default: {tokens: []}", "1: default.tokens: expected at least one token, found a list of 0"),
        ("default:\n  tokens: [a,\n   '']", '3: default.tokens[1]: expected text that is not empty, found ""'),
        (
            "default: {reply: 'a {{user}} b'}",
            "1: default.reply: expected one of {{msg}}, {{visitor_name}}, {{turn}}, found {{user}}",
        ),
        ("default: {error: {body: x}}", "1: default.error.status: expected this key, found nothing"),
        (
            "default: {error: {status: 200, body: x}}",
            "1: default.error.status: expected a whole number from 400 to 599, found 200",
        ),
        ("default: {error: {status: 404}}", "1: default.error.body: expected this key, found nothing"),
        ("default: {reply: x, choices: 3}", "1: default.choices: expected a list, found 3"),
        (
            "default: {reply: x, choices: [좋아]}",
            "1: default.choices[0]: expected a mapping with one of text, tone, fo",
        ),
        ("default: {reply: x, choices: [{}]}", "1: default.choices[0].text: expected this key, found nothing"),
        (
            "default: {reply: x, choices: [{text: a, tone: 1}]}",
            "1: default.choices[0].tone: expected one line of text, 1 to 200 characters, in quotes, found 1",
        ),
        (
            "default: {choices: []}",
            "1: default: expected exactly one of reply, tokens, json, error, found none of them",
        ),
        ("default: {reply: x, tool_calls: x}", '1: default.tool_calls: expected a list, found "x"'),
        ("default: {reply: x, tool_calls: []}", "1: default.tool_calls: expected at least one call, found a list of 0"),
        (
            "default: {reply: x, tool_calls: [{name: 날씨}]}",
            '1: default.tool_calls[0].name: expected 1 to 64 of A-Z a-z 0-9 _ -, found "날씨"',
        ),
        (
            "default: {reply: x, tool_calls: [{name: a, args: [1]}]}",
            "1: default.tool_calls[0].args: expected a mapping, found a list of 1",
        ),
        (
            "default: {error: {status: 500, body: x}, tool_calls: [{name: a}]}",
            "1: default.tool_calls: expected reply, tokens or json beside it, found error",
        ),
        (
            "default: {json: {a: [1, '{{who}}']}}",
            "1: default.json: expected one of {{msg}}, {{visitor_name}}, {{turn}}, found {{who}}",
        ),
        ("replies:\n- when: {tool_choice: 3}\n  reply: x", "2: when.tool_choice: expected text, contains or regex"),
        ("pace: {first: -1}", "1: pace.first: expected a number from 0 to 3600, found -1"),
        ("pace: {first: .inf}", '1: pace.first: expected a number from 0 to 3600, found ".inf"'),
        ("pace: {first: true}", "1: pace.first: expected a number from 0 to 3600, found true"),
        ("pace: {per_second: 0.001}", "1: pace.per_second: expected 0 (at once), or at least 0.01 tokens per second,"),
        (
            "replies:\n- when:\n    msg:\n      regex: '('\n  reply: x",
            '4: when.msg.regex: expected a valid regular expression, found "(" (missing ), unterminated subpattern',
        ),
        ("replies:\n- when: {msg: {regex: a, contains: b}}\n  reply: x", "2: when.msg: expected one of contains,"),
        ("replies:\n- when: {msg: {like: a}}\n  reply: x", "2: when.msg.like: expected one of contains"),
        ("replies:\n- when: {msg: {contains: ''}}\n  reply: x", "2: when.msg.contains: expected text that is not"),
        ("replies:\n- when: {msg: 3}\n  reply: x", "2: when.msg: expected text, contains or regex, in quotes, found 3"),
        ("replies:\n- when: {room_uid: null}\n  reply: x", "2: when.room_uid: expected text, contains or regex, found"),
        ("replies:\n- when: {turn: 0}\n  reply: x", "2: when.turn: expected a whole number from 1 to 92233"),
        ("replies:\n- when: {turn: '1'}\n  reply: x", "2: when.turn: expected a whole number from 1 to 92233"),
        ("replies:\n- when: {msg: a}\n  reply: x\n  reply: y", "4: reply: expected each key once, found"),
    ],
)
def test_a_mistake_in_replies_is_told_with_line_key_and_what_was_expected(
    folder: Path, text: str, expected: str
) -> None:
    assert any(line.startswith(expected) for line in problems_of(folder, text))


def test_all_problems_of_all_files_are_told_in_the_order_of_files_and_lines(folder: Path) -> None:
    (folder / "spaces.yaml").write_text("spaces: []", encoding="utf-8")
    (folder / "replies" / "a.yaml").write_text("replies:\n- when: {turn: 0}\n  reply: ''\npace: 1", encoding="utf-8")
    (folder / "replies" / "b.yaml").write_text("a: [", encoding="utf-8")
    (folder / "replies" / "c.yaml").write_bytes(b"default:\n  reply: \xff")
    assert [line.split(": ")[0] for line in problems(folder)] == [
        *("spaces.yaml:1", "replies/a.yaml:2", "replies/a.yaml:3", "replies/a.yaml:4"),
        *("replies/b.yaml:1", "replies/c.yaml:2"),
    ]


def test_more_problems_than_anyone_reads_are_counted(folder: Path) -> None:
    (folder / "replies" / "a.yaml").write_text("replies: [" + "x," * 1200 + "]", encoding="utf-8")
    with pytest.raises(FixtureError) as caught:
        load_fixtures(folder)
    assert len(caught.value.problems) == 1000
    assert str(caught.value).endswith("\nand 200 more problems")


# Any text at all

KEY_NAMES = sorted({key for keys in KEYS.values() for key in keys})
PUNCTUATION = [*":-,{}[]&*!|>'\"#%?\t\n", ": ", "\n  ", "- ", "{{msg}}", "0.5", "1", "null", "true", "(", "é"]
SCRAPS = st.lists(st.sampled_from([*KEY_NAMES, *PUNCTUATION]) | st.text(max_size=4), max_size=40).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 600) | st.floats() | st.text(max_size=5) | st.sampled_from(KEY_NAMES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEY_NAMES), inner, max_size=5),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scratch")
    (folder / "replies").mkdir()
    return folder


def loads_or_tells(folder: Path, text: str) -> None:
    try:
        assert isinstance(load_fixtures(folder), Fixtures)
        return
    except FixtureError as error:
        told = error.problems
    assert told
    for problem in told:
        assert problem.file in ("spaces.yaml", "replies/a.yaml")
        assert 1 <= problem.line <= len(text.splitlines()) + 1
        assert len(str(problem).splitlines()) == 1


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=SCRAPS | VALUES.map(lambda value: yaml.safe_dump(value, allow_unicode=True)), spaces=st.booleans())
@example(text="a: [" * 500, spaces=False)
@example(text="\x85\u2028a: [", spaces=True)
def test_any_text_loads_or_is_told_with_file_and_line(scratch: Path, text: str, spaces: bool) -> None:
    data = text.encode("utf-8", "replace")
    (scratch / "spaces.yaml").write_bytes(data if spaces else ONE_SPACE.encode())
    (scratch / "replies" / "a.yaml").write_bytes(b"{}" if spaces else data)
    loads_or_tells(scratch, text)


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=60))
def test_any_bytes_load_or_are_told_with_file_and_line(scratch: Path, data: bytes) -> None:
    (scratch / "spaces.yaml").write_text(ONE_SPACE, encoding="utf-8")
    (scratch / "replies" / "a.yaml").write_bytes(data)
    loads_or_tells(scratch, data.decode("utf-8", "replace"))
