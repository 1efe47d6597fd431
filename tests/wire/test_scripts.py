"""Every script goes through unharmed: tokens, sentences, voices, hotwords, and replies of 100 KB."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from unicodedata import normalize

import pytest

from app.spaces.models import Turn
from tests.live import Json, LiveServer, sendmsg, talk, write_fixtures

KOREAN = ["안녕하세요, 오늘은 날씨가 참 좋네요!", " 3.14km쯤 걸어서 한강에 가 볼까요?", " 도손 향수도 챙기세요."]

SCRIPTS: dict[str, tuple[str, list[str]]] = {
    "korean": ("ko", KOREAN),
    "korean decomposed": ("ko", [normalize("NFD", sentence) for sentence in KOREAN]),
    "japanese": (
        "ja",
        [
            "今日はとても良い天気ですね。",
            "「散歩に行きませんか？」と彼女が言いました。",
            "私はガラスのコップで水を飲みます！",
        ],
    ),
    "japanese decomposed": (
        "ja",
        [
            normalize("NFD", "今日はガラスのコップでジュースを飲みます。"),
            "とてもおいしかったと思いますよ！",
        ],
    ),
    "chinese": (
        "zh",
        [
            "你好，今天的天气真的非常好，对吧？",
            "我们下午一起去公园散步怎么样！",
            "价格是3.14元，可以用手机支付。",
        ],
    ),
    "thai": (
        "th",
        [
            "สวัสดีครับ วันนี้อากาศดีมากเลยนะครับ!",
            " น้ำผึ้งอยู่ที่บ้านของเราใช่ไหมครับ?",
        ],
    ),
    "arabic": (
        "ar",
        [
            "مرحبًا، كيف حالك اليوم يا صديقي؟",
            " الطقس جميلٌ جدًا في المدينة۔",
            " هيا بنا نذهب إلى الحديقة!",
        ],
    ),
    "hindi": (
        "hi",
        [
            "नमस्ते, आज मौसम बहुत अच्छा है।",
            " क्या हम पार्क में टहलने चलें?",
            " ज़रूर, मैं पाँच मिनट में तैयार हूँ।",
        ],
    ),
    "emoji": (
        "en",
        [
            "Our family 👨‍👩‍👧‍👦 says hello 👋🏽!",
            " The flags 🇰🇷🇯🇵 and 🏳️‍🌈 wave.",
            " Hearts ❤️‍🔥 and keys 1️⃣2️⃣ shine 😊.",
        ],
    ),
    "emoji alone": (
        "ko",
        [
            "👩🏿‍🚀👨‍👩‍👧‍👦🏴󠁧󠁢󠁳󠁣󠁴󠁿❤️‍🔥😀😀😀!",
        ],
    ),
    "mixed": (
        "ko",
        [
            "한국어와 English와 日本語를 섞어 씁니다.",
            " עברית ו-العربية together here!",
            " Việt Nam và ελληνικά, да?",
        ],
    ),
}

WORDS = {
    "korean": ["도손", "한강"],
    "korean decomposed": ["한강", "도손"],
    "japanese": ["ガラス"],
    "chinese": ["手机"],
    "thai": ["น้ำผึ้ง"],
    "arabic": ["الحديقة"],
    "hindi": ["ज़रूर"],
    "emoji": ["👨‍👩‍👧‍👦", "HEARTS"],
    "mixed": ["ΕΛΛΗΝΙΚΆ", "日本語"],
}

MANY = [sentence + " " for _, sentences in SCRIPTS.values() for sentence in sentences]
LARGE = "".join(f"{number}) {sentence}" for number, sentence in enumerate(MANY * 60))


def text_of(name: str) -> str:
    return "".join(SCRIPTS[name][1])


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    replies: list[Json] = [{"when": {"msg": "large"}, "reply": LARGE}]
    for name in SCRIPTS:
        replies.append({"when": {"msg": name}, "reply": text_of(name)})
        replies.append({"when": {"msg": f"{name}, sign by sign"}, "tokens": [*text_of(name)]})
    words = dict.fromkeys(word for words in WORDS.values() for word in words)
    memories = [{"name": word, "text": f"about {word}"} for word in words]
    folder = tmp_path_factory.mktemp("scripts") / "fixtures"
    return write_fixtures(folder, replies=replies, space={"memories": memories, "credit": 10**6})


@pytest.fixture(scope="module")
def server(fixtures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    voice = {"engine": "tone", "workers": 1}
    with LiveServer(tmp_path_factory.mktemp("data"), fixtures=fixtures, voice=voice) as live:
        yield live


async def answer(server: LiveServer, msg: str, **fields: object) -> list[Json]:
    async with talk(server) as peer:
        return await peer.turn(sendmsg(msg, **fields))


async def saved(server: LiveServer, room_uid: str) -> Turn:
    """The last turn of a room."""
    window = await server.run(server.engine.history.window("test", room_uid))
    return window.turns[-1]


def stream(frames: list[Json]) -> list[Json]:
    return [frame for frame in frames if frame["status"] == "stream"]


def said(frames: list[Json]) -> str:
    return "".join(frame["msg"] for frame in stream(frames))


def sentences(frames: list[Json]) -> list[str]:
    """The tokens joined by the sentence that they name."""
    return ["".join(frame["msg"] for frame in group) for _, group in groupby(stream(frames), lambda f: f["sent_uid"])]


@pytest.mark.parametrize("way", ["{}", "{}, sign by sign"])
@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_reply_arrives_and_is_saved_byte_for_byte(server: LiveServer, name: str, way: str) -> None:
    room = f"bytes {name} {way}"
    frames = await answer(server, way.format(name), room_uid=room)
    assert said(frames).encode() == text_of(name).encode()
    assert all(frame["data"]["chunk"]["content"] == frame["msg"] for frame in stream(frames))
    assert len(stream(frames)) > 5
    assert (await saved(server, room)).reply.encode() == text_of(name).encode()


@pytest.mark.parametrize("way", ["{}", "{}, sign by sign"])
@pytest.mark.parametrize("name", SCRIPTS)
async def test_sentences_are_cut_and_each_has_a_voice(server: LiveServer, name: str, way: str) -> None:
    language, expected = SCRIPTS[name]
    frames = await answer(server, way.format(name), return_voice=1, language=language)
    voices = [frame for frame in frames if frame["status"] == "voice_ready"]
    assert sentences(frames) == expected
    assert [voice["msg"] for voice in voices] == expected
    assert all(voice["voice_length"] > 0 for voice in voices)
    for voice in voices:
        at = frames.index(voice)
        assert frames[at - 1]["status"] == "stream"
        assert frames[at - 1]["sent_uid"] == voice["sent_uid"]
        assert all(frame["sent_uid"] != voice["sent_uid"] for frame in stream(frames[at:]))


@pytest.mark.parametrize("way", ["{}", "{}, sign by sign"])
@pytest.mark.parametrize("name", WORDS)
async def test_hotwords_are_heard_before_the_token_that_completes_them(server: LiveServer, name: str, way: str) -> None:
    room = f"words {name} {way}"
    frames = await answer(server, way.format(name), room_uid=room)
    heard = [frame for frame in frames if frame["status"] == "hotword_detected"]
    assert {frame["hotword"] for frame in heard} == set(WORDS[name])
    for frame in heard:
        word = normalize("NFC", frame["hotword"]).casefold()
        at = frames.index(frame)
        before = said(frames[:at])
        following = next(index for index in range(at, len(frames)) if frames[index]["status"] == "stream")
        assert word not in normalize("NFC", before).casefold()
        if "decomposed" not in name:
            assert word in normalize("NFC", said(frames[: following + 1])).casefold()
    assert len((await saved(server, room)).hotwords) == len(heard)
    again = await answer(server, way.format(name), room_uid=room)
    assert not [frame for frame in again if frame["status"] == "hotword_detected"]


async def test_real_voices_speak_every_script(fixtures: Path, tmp_path: Path) -> None:
    voice = {"engine": "pyttsx3", "workers": 1, "fallback": False}
    with LiveServer(tmp_path, fixtures=fixtures, voice=voice) as server:
        for name, (language, expected) in SCRIPTS.items():
            frames = await answer(server, name, return_voice=1, language=language)
            spoken = {frame["msg"]: frame["voice_length"] for frame in frames if frame["status"] == "voice_ready"}
            assert list(spoken) == expected
            assert name == "emoji alone" or all(0.8 < seconds < 20 for seconds in spoken.values()), (name, spoken)


async def test_a_reply_of_100_kb_arrives_whole_in_order_and_soon(server: LiveServer) -> None:
    assert len(LARGE.encode()) > 100_000
    began = time.perf_counter()
    frames = await answer(server, "large", room_uid="large")
    seconds = time.perf_counter() - began
    assert said(frames).encode() == LARGE.encode()
    assert [frame["status"] for frame in frames[-2:]] == ["think", "END"]
    assert len(sentences(frames)) > 1000
    heard = {frame["hotword"] for frame in frames if frame["status"] == "hotword_detected"}
    assert heard == {word for words in WORDS.values() for word in words}
    assert (await saved(server, "large")).reply.encode() == LARGE.encode()
    assert seconds < 15, f"{seconds:.1f} s"  # about 2 s on two idle cores


async def test_a_reply_of_100_kb_fits_one_frame(server: LiveServer) -> None:
    frames = await answer(server, "large", room_uid="large at once", stream=0)
    (whole,) = stream(frames)
    assert whole["msg"].encode() == LARGE.encode()
    assert whole["data"]["chunk"]["messages"][0]["content"] == whole["msg"]


async def test_a_room_goes_on_after_a_reply_of_100_kb(server: LiveServer) -> None:
    await answer(server, "large", room_uid="large again")
    assert said(await answer(server, "korean", room_uid="large again")) == text_of("korean")
