"""The real voices: espeak-ng through pyttsx3, in a real worker."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import re
import shutil
from pathlib import Path

import numpy as np
import psutil
import pytest

from app.emulation.conditions import Exact
from app.emulation.fixtures import load_fixtures
from app.malangee.script import FILE, Script
from app.malangee.script import VOICES as MALANGEE_VOICES
from app.settings import shipped
from app.voice.encode import mp3
from app.voice.languages import VOICES, unspoken
from app.voice.tone import ToneEngine
from app.wire_files import WIRE_FILES
from tests.voice.conftest import MakeSpeaker
from tests.voice.sound import SENTENCE, is_speech, loudness, mp3_length, walk_frames

GREETINGS = {
    "ko": "안녕하세요, 만나서 반갑습니다.",
    "en": "Hello, it is nice to meet you.",
    "ja": "こんにちは、おあいできてうれしいです。",
    "zh": "你好，很高兴认识你。",
    "es": "Hola, me alegro de conocerte.",
    "fr": "Bonjour, je suis ravi de vous rencontrer.",
    "de": "Guten Tag, es freut mich sehr.",
    "it": "Ciao, piacere di conoscerti.",
    "pt": "Olá, prazer em conhecer você.",
    "ru": "Здравствуйте, приятно познакомиться.",
    "ar": "مرحبا، سعيد بلقائك.",
    "hi": "नमस्ते, आपसे मिलकर खुशी हुई।",
    "bn": "হ্যালো, আপনার সাথে দেখা হয়ে ভালো লাগলো।",
    "pa": "ਸਤ ਸ੍ਰੀ ਅਕਾਲ, ਤੁਹਾਨੂੰ ਮਿਲ ਕੇ ਖੁਸ਼ੀ ਹੋਈ।",
    "tr": "Merhaba, tanıştığımıza memnun oldum.",
    "nl": "Hallo, leuk je te ontmoeten.",
    "sv": "Hej, trevligt att träffas.",
    "no": "Hei, hyggelig å møte deg.",
    "da": "Hej, rart at møde dig.",
    "fi": "Hei, hauska tavata sinut.",
    "pl": "Cześć, miło mi cię poznać.",
    "cs": "Dobrý den, rád vás poznávám.",
    "sk": "Dobrý deň, teší ma.",
    "sl": "Pozdravljeni, lepo vas je spoznati.",
    "hr": "Bok, drago mi je što smo se upoznali.",
    "bg": "Здравейте, приятно ми е да се запознаем.",
    "el": "Γεια σας, χαίρω πολύ.",
    "ro": "Bună ziua, mă bucur să te cunosc.",
    "hu": "Szia, örülök, hogy megismertelek.",
    "lt": "Labas, malonu susipažinti.",
    "lv": "Sveiki, prieks iepazīties.",
    "tl": "Kumusta, ikinagagalak kitang makilala.",
    "vi": "Xin chào, rất vui được gặp bạn.",
    "th": "สวัสดี ยินดีที่ได้รู้จัก",
    "id": "Halo, senang bertemu dengan Anda.",
    "ms": "Helo, gembira bertemu dengan anda.",
    "ca": "Hola, encantat de conèixer-te.",
}


async def test_every_language_of_the_wire_is_really_spoken(make_speaker: MakeSpeaker) -> None:
    speaker = await make_speaker(workers=2)
    assert set(GREETINGS) == set(VOICES)
    spoken = await asyncio.gather(*(speaker.say(text, code, format="pcm") for code, text in GREETINGS.items()))
    for code, speech in zip(GREETINGS, spoken, strict=True):
        assert speech.engine == "pyttsx3", code
        assert 0.8 < speech.seconds < 6.0, code
        assert loudness(speech.audio) > 500, code
        assert is_speech(speech.audio), code
        file = await speaker.say(GREETINGS[code], code)
        assert (file.engine, len(file.audio)) == ("pyttsx3", len(mp3(speech.audio))), code


def named_voices() -> dict[str, str]:
    """Every voice of the MaLangEE wire that a table, a shipped fixture or the example page names, and the engine's."""
    script = load_fixtures(shipped("fixtures"), wires=WIRE_FILES).wires[FILE]
    assert isinstance(script, Script)
    page = (Path(__file__).parents[2] / "examples" / "malangee" / "index.html").read_text(encoding="utf-8")
    offered = page.partition('<select id="voice">')[2].partition("</select>")[0]
    names = {*MALANGEE_VOICES, *script.voices, *re.findall(r"<option>(\w+)</option>", offered)}
    names |= {seed.voice for seed in script.sessions if seed.voice is not None}
    assert names >= {"alloy", "sage", "ballad", "verse", "fable", "nova"}
    assert names == set(script.voices), "a name without a voice"
    found = {f"{name} by default": voice for name, voice in MALANGEE_VOICES.items()}
    return found | dict(script.voices)


async def test_every_voice_that_is_named_anywhere_really_speaks(make_speaker: MakeSpeaker) -> None:
    speaker = await make_speaker(workers=2)
    voices = named_voices()
    assert await speaker.lacking(voices.values()) == {}
    text = "Hello, it is nice to meet you."
    spoken = await asyncio.gather(*(speaker.say(text, "en", voice=one, format="pcm") for one in voices.values()))
    for name, speech in zip(voices, spoken, strict=True):
        assert speech.engine == "pyttsx3", name
        assert is_speech(speech.audio), name


def test_every_language_that_a_fixture_names_has_a_voice() -> None:
    found = load_fixtures(shipped("fixtures"), wires=WIRE_FILES)
    named = {seed.space.language for seed in found.spaces} | {language for _, language in found.languages}
    for entry in found.replies.entries:
        condition = entry.when.get("language")
        if isinstance(condition, Exact):
            named.add(str(condition.value))
    assert named >= {"ko", "en"}
    assert [why for why in map(unspoken, named) if why is not None] == []


def test_the_judge_of_speech_is_taken_in_by_nothing_else() -> None:
    noise = np.random.default_rng(7).normal(0, 3_000, 48_000).astype("<i2").tobytes()
    beep = (6_000 * np.sin(np.arange(48_000) * 2 * np.pi * 440 / 24_000)).astype("<i2").tobytes()
    for sound in (ToneEngine().speak("Hello, it is nice to meet you."), ToneEngine().speak("네."), noise, beep):
        assert not is_speech(sound)
    assert not is_speech(bytes(48_000))


async def test_voices_that_cannot_be_had_are_known_beforehand(make_speaker: MakeSpeaker) -> None:
    speaker = await make_speaker()
    asked = ("en-us", "en-us+f3", "en-us+Alex", "EN-US", "nobody", "en-us+nobody", "en-us+M3", "../../etc/passwd")
    assert await speaker.lacking(asked) == {
        "nobody": "espeak-ng has no voice 'nobody': tones are used",
        "en-us+nobody": "espeak-ng has no variant 'nobody': it is left out",
        "en-us+M3": "espeak-ng has no variant 'M3': it is left out",
        "../../etc/passwd": "'../../etc/passwd' is no name of a voice: tones are used",
    }
    assert (await speaker.say("Hello", "en")).engine == "pyttsx3", "the voice before goes on"
    assert await (await make_speaker(engine="tone")).lacking(asked) == {}
    assert await (await make_speaker(engine="tests.voice.odd_engines:Odd")).lacking(asked) == {}


async def test_mp3_is_what_the_wire_promises(make_speaker: MakeSpeaker) -> None:
    speech = await (await make_speaker()).say(SENTENCE)
    assert speech.engine == "pyttsx3"
    assert speech.seconds == round(walk_frames(speech.audio) * 0.024, 3)
    assert mp3_length(speech.audio) == pytest.approx(speech.seconds, abs=0.001)
    assert 2.0 < speech.seconds < 4.5


async def test_the_first_call_speaks_all_five_sentences(make_speaker: MakeSpeaker) -> None:
    """pyttsx3 returns from its first call before anything is spoken."""
    text = "하나, 둘, 셋. " * 5
    first = await (await make_speaker()).say(text, format="pcm")
    one = await (await make_speaker()).say("하나, 둘, 셋.", format="pcm")
    assert first.seconds > 3.5 * one.seconds


async def test_the_same_text_is_always_as_long_whatever_was_said_before(make_speaker: MakeSpeaker) -> None:
    speaker = await make_speaker(cache_bytes=0)
    lengths = set()
    for other in ("네.", "오늘은 비가 와요.", "모레는 맑을 거예요. 정말로요!"):
        lengths.add(len((await speaker.say(SENTENCE, format="pcm")).audio))
        await speaker.say(other)
        await speaker.say("Something else", "en")
    assert len(lengths) == 1


async def test_no_sentence_of_many_short_ones_is_cut(make_speaker: MakeSpeaker) -> None:
    """Changing a parameter for each made espeak-ng cancel about one in fifty."""
    speaker = await make_speaker(cache_bytes=0)
    spoken = [await speaker.say("네, 좋아요.", format="pcm") for _ in range(150)]
    assert {speech.engine for speech in spoken} == {"pyttsx3"}
    assert len({len(speech.audio) for speech in spoken}) == 1


async def test_it_speaks_from_a_deep_folder_with_blanks(
    make_speaker: MakeSpeaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """espeak-ng keeps the path of its data in 160 bytes and ends the process if it is longer."""
    found = importlib.util.find_spec("espeakng_loader")
    assert found is not None
    assert found.origin is not None
    deep = tmp_path / ("a rather long name " * 5) / ("and one more of these " * 5)
    shutil.copytree(Path(found.origin).parent, deep / "espeakng_loader")
    monkeypatch.syspath_prepend(str(deep))
    speaker = await make_speaker()
    speech = await speaker.say(SENTENCE)
    (pid,) = speaker.workers
    assert len(str(deep)) > 200
    assert psutil.Process(pid).cwd() == str((deep / "espeakng_loader").resolve())
    assert speech.engine == "pyttsx3"


async def test_a_worker_does_not_import_from_the_current_folder(
    make_speaker: MakeSpeaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("raise SystemExit('the wrong app')")
    monkeypatch.chdir(tmp_path)
    assert (await (await make_speaker()).say(SENTENCE)).engine == "pyttsx3"


async def test_a_text_over_the_piece_limit_is_spoken_whole(make_speaker: MakeSpeaker) -> None:
    speaker = await make_speaker()
    one = await speaker.say("one two three. " * 10, "en", format="pcm")
    long = await speaker.say("one two three. " * 50, "en", format="pcm")
    assert len("one two three. " * 50) > 500
    assert long.seconds == pytest.approx(5 * one.seconds, rel=0.1)


async def test_a_minute_is_the_longest_voice(make_speaker: MakeSpeaker) -> None:
    speech = await (await make_speaker()).say("긴 이야기를 시작합니다. " * 300)
    assert 60.0 <= speech.seconds < 60.1
    assert speech.engine == "pyttsx3"


@pytest.mark.parametrize(
    "text", ["영\x00하나", "<speak>하나</speak> & [[x]]", "하나 😀 둘", "\u202e하나\u202c \ud800둘", "%s%n하나" * 40]
)
async def test_odd_texts_are_spoken(make_speaker: MakeSpeaker, text: str) -> None:
    speech = await (await make_speaker()).say(text, format="pcm")
    assert speech.engine == "pyttsx3"
    assert loudness(speech.audio) > 300


async def test_another_voice_of_the_engine_can_be_named(make_speaker: MakeSpeaker) -> None:
    speaker = await make_speaker()
    low, high = await speaker.say("Hello there", "en"), await speaker.say("Hello there", "en", voice="en-us+f2")
    assert high.engine == "pyttsx3"
    assert high.audio != low.audio


@pytest.mark.parametrize("voice", ["nobody", "../../../etc/passwd", "ko\x00", "x" * 500])
async def test_a_voice_that_is_none_is_refused_and_the_worker_kept(
    make_speaker: MakeSpeaker, caplog: pytest.LogCaptureFixture, voice: str
) -> None:
    speaker = await make_speaker()
    await speaker.say(SENTENCE)
    before = speaker.workers
    assert (await speaker.say(SENTENCE, voice=voice)).engine == "tone"
    assert speaker.workers == before
    assert "voice" in caplog.text


async def test_an_unknown_language_is_spoken_in_tones_and_said_once(
    make_speaker: MakeSpeaker, caplog: pytest.LogCaptureFixture
) -> None:
    speaker = await make_speaker()
    spoken = [await speaker.say(text, "tlh-KX") for text in ("nuqneH", "Qapla'")]
    assert [speech.engine for speech in spoken] == ["tone", "tone"]
    assert caplog.text.count("'tlh'") == 1


async def test_approximated_languages_are_said_once_each(
    make_speaker: MakeSpeaker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "app.voice")
    speaker = await make_speaker()
    for language, text in (("tl", "Salamat po."), ("tl-PH", "Kumusta ka?"), ("th", "ขอบคุณ"), ("ja", "今日は晴れ。")):
        assert (await speaker.say(text, language)).engine == "pyttsx3"
    assert [record.getMessage().split()[1] for record in caplog.records] == ["tl", "th", "ja"]
