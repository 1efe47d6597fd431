"""The shipped fixtures: the documented conversations and keys, the demo; and whether docs/fixtures.md is true."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.emulation.fixtures import KEYS, FixtureError, Fixtures, load_fixtures
from app.emulation.replies import ReplyAsk
from app.settings import shipped

FOLDER = shipped("fixtures")
TRANSCRIPTS = FOLDER / "transcripts" / "chldo"
DOCUMENT = FOLDER.parent / "docs" / "fixtures.md"

ONE_SPACE = "spaces: [{uid: a, default: true}]"
LANGUAGES = (
    "ko en ja zh es fr de it pt ru ar hi bn pa tr nl sv no da fi pl cs sk sl hr bg el ro hu lt lv tl vi th id ms ca"
)


@pytest.fixture(scope="module")
def fixtures() -> Fixtures:
    return load_fixtures(FOLDER)


def frames(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (TRANSCRIPTS / name).read_text(encoding="utf-8").splitlines()]


def request(name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((TRANSCRIPTS / name).read_text(encoding="utf-8"))
    return parsed


def captured(name: str) -> list[str]:
    """The tokens of a captured turn; where the wire of 2024-10-06 held back a ".", it is put back before the voice."""
    tokens: list[str] = []
    for frame in frames(name):
        if frame.get("event") == "on_chat_model_stream":
            tokens.append(frame["data"]["chunk"]["content"])
        if name.startswith("2024-10-06") and frame.get("status") == "voice_ready" and tokens[-1] != "?":
            tokens.append(".")
    return tokens


TURNS = sorted(
    path.name
    for path in TRANSCRIPTS.glob("*.jsonl")
    if path.with_suffix(".request.json").exists() and captured(path.name)
)


def test_the_captured_turns_are_known() -> None:
    assert len(TURNS) == 7


@pytest.mark.parametrize("name", TURNS)
def test_a_documented_request_gets_its_documented_tokens(fixtures: Fixtures, name: str) -> None:
    asked = request(name.replace(".jsonl", ".request.json"))
    again = name.startswith(("2024-08-26", "2024-08-27-sendmsg"))
    ask = ReplyAsk(
        asked["msg"],
        space="demo",
        room_uid=asked["room_uid"],
        user_id=asked["user_id"],
        language=asked.get("language", "ko"),
        turn=2 if again else 1,
    )
    tokens = list(fixtures.replies.match(ask).tokens or ())
    assert tokens == captured(name)
    whole = [frame["data"]["chunk"]["messages"] for frame in frames(name) if "messages" in chunk(frame)]
    spoken = "".join(frame["msg"] for frame in frames(name) if frame.get("status") == "voice_ready" and "msg" in frame)
    text = "".join(tokens)
    assert whole or spoken
    assert all(message["content"] == text for messages in whole for message in messages)
    if not whole:
        assert spoken.replace(".", "") == text.replace(".", "")


def chunk(frame: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = frame.get("data", {}).get("chunk", {})
    return found


def test_every_key_and_account_of_the_pages_opens_the_demo_space(fixtures: Fixtures) -> None:
    demo = next(seed for seed in fixtures.spaces if seed.space.uid == "demo")
    requests = [request(path.name) for path in TRANSCRIPTS.glob("*.request*.json")]
    assert {one["api_key"] for one in requests if "api_key" in one} <= {key.key for key in demo.keys if key.usable}
    assert demo.space.org_id in {one.get("org_id") for one in requests}
    assert demo.space.default
    assert (demo.space.sentence_mode, demo.space.return_voice, demo.space.credit_per_turn) == (True, 0, 0)
    assert (demo.space.language, demo.space.model, demo.space.graph) == ("ko", "scripted", "companion")
    assert "{{visitor_name}}" in demo.space.prompt


def test_three_keys_fail_in_three_ways(fixtures: Fixtures) -> None:
    by_key = {key.key: (key, seed.space) for seed in fixtures.spaces for key in seed.keys}
    key, _ = by_key["00000000000000000000e1"]
    assert not key.usable
    key, space = by_key["00000000000000000000e2"]
    assert (key.usable, space.credit) == (True, 0)
    key, space = by_key["00000000000000000000e3"]
    assert key.usable
    assert space.credit >= 100
    for msg in (None, "안녕 반가워요", "무엇이든"):
        error = fixtures.replies.match(ReplyAsk(msg, space=space.uid)).error
        assert error is not None
        assert f"Error code: {error.status} - {error.body}" in {
            frame.get("msg") for frame in frames("2024-08-26-sendmsg-llm-error.jsonl")
        }


@pytest.mark.parametrize("language", LANGUAGES.split())
@pytest.mark.parametrize("msg", [None, "quux"])
def test_every_language_of_the_wire_has_an_answer_at_a_lively_pace(
    fixtures: Fixtures, language: str, msg: str | None
) -> None:
    reply = fixtures.replies.match(ReplyAsk(msg, language=language))
    hangul = re.search("[가-힣]", (reply.text or "").replace("quux", ""))
    assert reply.text
    assert (hangul is not None) == (language == "ko")
    assert reply.pace is not None
    assert 0 < reply.pace.first < 1
    assert 20 < reply.pace.per_second < 100


@pytest.mark.parametrize(
    ("msg", "part"),
    [
        ("안녕", "반갑습니다"),
        ("안녕히 계세요", "또 만나요"),
        ("넌 누구야?", "민트"),
        ("내 이름은 철수야", "이름을 알려 주셔서"),
        ("오늘 날씨 어때?", "22.5도"),
        ("책 추천해줘", "어린 왕자"),
        ("뭐 추천해 줄 거 없어?", "추천"),
        ("농담 하나 해줘", "천도복숭아"),
        ("고마워!", "천만에요"),
        ("재미있는 이야기 해줘", "등대"),
        ("원주율이 뭐야", "3.14159"),
        ("문서 링크 알려줘", "https://example.com"),
        ("아무 말", "'아무 말'라고 하셨군요, 철수님"),
    ],
)
def test_the_demo_knows_what_it_is_asked(fixtures: Fixtures, msg: str, part: str) -> None:
    assert part in (fixtures.replies.match(ReplyAsk(msg, visitor_name="철수")).text or "")


def test_the_documented_greeting_is_the_first_one_of_the_demo(fixtures: Fixtures) -> None:
    demo = fixtures.spaces[0].space
    documented = next(frame["msg"] for frame in frames("2024-09-11-greeting.jsonl") if frame["status"] == "greeting")
    assert [greeting.number for greeting in demo.greetings] == [1, 2]
    assert demo.greetings[0].text == documented


def test_the_scenes_of_the_demo_leave_the_one_that_holds_unasked_alone(fixtures: Fixtures) -> None:
    demo = fixtures.spaces[0].space
    assert [scene.number for scene in demo.scenes] == [2, 3]
    for scene in demo.scenes:
        asked = ReplyAsk("여기가 어디예요?", scene_number=scene.number)
        assert fixtures.replies.match(asked) != fixtures.replies.match(ReplyAsk("여기가 어디예요?"))


def test_the_documented_memory_and_its_conversation_are_the_captured_ones(fixtures: Fixtures) -> None:
    captured = frames("2024-10-02-use_memory.2.jsonl")
    told = next(frame for frame in captured if frame["status"] == "memory_dict")
    memory = fixtures.spaces[0].space.memories[0]
    assert (memory.uid, memory.variants, memory.hotword) == (told["hotword_uid"], (told["hotword"],), True)
    assert memory.entries == tuple((entry["k"], entry["v"]) for entry in json.loads(told["msg"]))
    reply = fixtures.replies.match(ReplyAsk("딥티크 향수 중에 어떤 게 저한테 어울릴까요?"))
    assert reply.tokens == tuple(frame["msg"] for frame in captured if frame["status"] == "stream")


def test_the_demo_has_a_memory_of_each_kind(fixtures: Fixtures) -> None:
    bare, text, long_term = fixtures.spaces[0].space.memories[1:]
    assert (bare.variants, bare.text, bare.entries) == (("34", "34번가"), None, None)
    assert text.hotword
    assert text.text
    recommended = fixtures.replies.match(ReplyAsk("책 추천해줘")).text or ""
    assert any(variant in recommended for variant in text.variants)
    assert (long_term.long_term, long_term.hotword) == (True, False)


@pytest.mark.parametrize("turn", [1, 2])
def test_a_greeted_demo_offers_the_documented_choices(fixtures: Fixtures, turn: int) -> None:
    choices = fixtures.replies.match(ReplyAsk("안녕", turn=turn)).choices
    assert choices is not None
    assert [(choice.text, choice.tone) for choice in choices] == [
        ("오늘 날씨가 어떤가요?", "중립적"),
        ("저에게 추천할 만한 책이 있나요?", "공손한"),
        ("기분이 좋지 않은데, 기분 전환할 방법이 있을까요?", "긍정적"),
    ]


def test_the_documented_picture_is_answered(fixtures: Fixtures) -> None:
    asked = request("2024-09-11-use_image-request-only.request.json")
    reply = fixtures.replies.match(ReplyAsk(asked["msg"], filename=asked["filename"]))
    assert reply.source.startswith("replies/10-documented.yaml")


def test_every_shipped_reply_can_be_reached(fixtures: Fixtures) -> None:
    """No entry stands behind one that asks for less of the same."""
    seen: list[dict[str, Any]] = []
    for entry in fixtures.replies.entries:
        assert not any(earlier.items() <= entry.when.items() for earlier in seen), entry.reply.source
        seen.append(entry.when)


# The documentation


def documented_keys() -> dict[str, list[str]]:
    """The first column of the tables that are headed `key`, by the heading they stand under."""
    keys: dict[str, list[str]] = {}
    heading, in_table = "", False
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if line.startswith("| key | value"):
            in_table = True
        elif not line.startswith("|"):
            in_table = False
        elif in_table and (name := re.match(r"\| `(\w+)` \|", line)):
            keys.setdefault(heading, []).append(name[1])
    return keys


def test_the_documentation_names_every_key_and_no_other() -> None:
    assert {heading: sorted(keys) for heading, keys in documented_keys().items()} == {
        mapping: sorted(keys) for mapping, keys in KEYS.items()
    }


def test_the_examples_of_the_documentation_load_and_use_every_key(tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), flags=re.DOTALL)
    for number, example in enumerate(examples):
        folder = tmp_path / str(number)
        (folder / "profiles").mkdir(parents=True)
        (folder / "replies").mkdir()
        (folder / "spaces.yaml").write_text(ONE_SPACE, encoding="utf-8")
        places = {"spaces": "spaces.yaml", "faults": "faults.yaml", "about": "profiles/a.yaml"}
        place = places.get(example.partition(":")[0], "replies/a.yaml")
        (folder / place).write_text(example, encoding="utf-8")
        load_fixtures(folder)
    used = {name for example in examples for name in every_key(yaml.safe_load(example))}
    shown_in_words = {"space", "user_id", "model", "filename", "scene_number"}
    assert {key for keys in KEYS.values() for key in keys} - used <= shown_in_words


def every_key(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {str(key) for key in value}.union(*(every_key(inner) for inner in value.values()))
    return set().union(*(every_key(inner) for inner in value)) if isinstance(value, list) else set()


SPACES_WITH_A_PROBLEM = """# The key on line 7 lacks its quotes.
spaces:
  - uid: a
    default: true
    api_keys:
      - d4a3653a4ba72d6e04a293
      - 12345678
"""
REPLIES_WITH_PROBLEMS = """# The expression on line 12 is not closed.
#
#
#
#
#
#
#
#

replies:
  - when: {msg: {regex: "^(오류"}}
    error:
      status: 404
      body:
        status: failure
        message: API_KEY does not exist.
    pace:
      first: -1
"""


def test_the_problems_in_the_documentation_are_what_is_told(tmp_path: Path) -> None:
    (tmp_path / "replies").mkdir()
    (tmp_path / "spaces.yaml").write_text(SPACES_WITH_A_PROBLEM, encoding="utf-8")
    (tmp_path / "replies" / "05-mine.yaml").write_text(REPLIES_WITH_PROBLEMS, encoding="utf-8")
    with pytest.raises(FixtureError) as caught:
        load_fixtures(tmp_path)
    assert f"```\n{caught.value}\n```" in DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["en", "id"])
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("I like trains", "I like trains."),
        ("I like trains.", "I like trains."),
        ("Do you?", "Do you?"),
        ('He said "no!"', 'He said "no!"'),
        ("Well… ", "Well…"),
    ],
)
def test_the_default_reply_ends_the_sentence_that_it_quotes(
    fixtures: Fixtures, language: str, said: str, told: str
) -> None:
    """A transcript of speech often has no full stop."""
    text = str(fixtures.replies.match(ReplyAsk(msg=said, language=language)).text)
    assert text.partition(": ")[2].startswith(f"{told} ")
