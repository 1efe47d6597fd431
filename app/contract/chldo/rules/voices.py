"""Rules on voices: where voice_ready stands, what it says, and what its URL gives. PURE."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isclose

from app.contract.checks.recordings import Download
from app.contract.checks.rules import Rule, Sights
from app.contract.chldo.frames import Exchange, Frame
from app.contract.chldo.mp3 import NotMp3, read_mp3
from app.contract.chldo.reading import Evidence
from app.contract.chldo.rules.sights import breach, shown
from app.contract.chldo.sentences import Sentence, sentences_of
from app.contract.chldo.words import C_AT, R3, R4, R5, R6, V1, VOICE_URL

STEP = 0.024
"""Seconds of one frame of MPEG-2 Layer III at 24 kHz."""
LONGEST = 86_400
"""Seconds that no voice reaches."""
LATE = 120
"""Seconds that making a voice may take, as far as its Expires tells."""
REFUSED = ("unsigned", "altered", "extended")
"""Ways in which a probe spoils a voice URL."""


def _voiced(seen: Evidence) -> Iterator[tuple[Exchange, list[Sentence]]]:
    """Turns that were to have voices and went well."""
    for turn in seen.clear_turns:
        asked = turn.request.flag
        start = turn.first("START")
        told = start.get("return_voice") if start is not None else asked
        if told == 1 and turn.tokens and not turn.failed and (turn.over or seen.revision.flat):
            yield turn, sentences_of(turn, seen.revision)


def each_sentence_has_a_voice(seen: Evidence) -> Sights:
    for turn, sentences in _voiced(seen):
        got, expected = len(turn.voices), len(sentences)
        if got == expected:
            yield None
        else:
            frame = turn.voices[-1] if turn.voices else None
            yield breach(turn, frame, f"{expected} voice_ready, one for each sentence", str(got))


def no_voice_unless_asked(seen: Evidence) -> Sights:
    for exchange in (*seen.clear_turns, *seen.greetings):
        if exchange.request.flag == 0:
            odd = exchange.voices
            yield breach(exchange, odd[0], "no voice, as return_voice is 0", "voice_ready") if odd else None


def voices_stand_after_their_sentence(seen: Evidence) -> Sights:
    for turn, sentences in _voiced(seen):
        last = {sentence.uid: sentence.tokens[-1].number for sentence in sentences}
        starts = [sentence.tokens[0].number for sentence in sentences]
        for frame in turn.voices:
            uid = frame.get("sent_uid")
            if seen.revision.id == R5:
                fits = frame.number > starts[0]
            elif uid not in last:
                continue
            else:
                later = [number for number in starts if number > last[uid]]
                fits = last[uid] < frame.number < min(later, default=frame.number + 1)
            yield (
                None
                if fits
                else breach(turn, frame, "after the last token of its sentence, before the next", "another place")
            )


def voices_name_their_sentence(seen: Evidence) -> Sights:
    for turn, sentences in _voiced(seen):
        uids = [sentence.uid for sentence in sentences]
        for frame in turn.voices:
            got = frame.get("sent_uid")
            fits = got in uids
            yield None if fits else breach(turn, frame, "the sent_uid of a sentence of the turn", shown(got))


def voices_say_their_sentence(seen: Evidence) -> Sights:
    for turn, sentences in _voiced(seen):
        texts = {sentence.uid: sentence.spoken(seen.revision) for sentence in sentences}
        for frame in turn.of("voice_ready"):
            if frame.get("sent_uid") in texts:
                expected, got = texts[frame.get("sent_uid")], frame.get("msg")
                yield None if got == expected else breach(turn, frame, f"msg {shown(expected)}", shown(got))


def greetings_say_the_same(seen: Evidence) -> Sights:
    for greeting in seen.greetings:
        text = greeting.first("greeting")
        for frame in greeting.of("voice_ready") if text is not None else ():
            expected, got = text.get("msg") if text else None, frame.get("msg")
            yield None if got == expected else breach(greeting, frame, f"msg {shown(expected)}", shown(got))


def greetings_are_voiced(seen: Evidence) -> Sights:
    for greeting in seen.greetings:
        if greeting.request.flag == 1 and greeting.over:
            count = len(greeting.voices)
            yield None if count == 1 else breach(greeting, greeting.first("END"), "one voice_ready", str(count))


def urls_have_their_form(seen: Evidence) -> Sights:
    for exchange, frame in _announced(seen):
        if VOICE_URL.fullmatch(str(frame.get("voice_url"))):
            yield None
        else:
            form = "https://HOST/room_uid_voice/ROOM/NAME.mp3?Expires=…&Signature=…&Key-Pair-Id=…"
            yield breach(exchange, frame, form, shown(frame.get("voice_url")))


def urls_name_their_voice(seen: Evidence) -> Sights:
    for exchange, frame in _announced(seen):
        found = VOICE_URL.fullmatch(str(frame.get("voice_url")))
        if found is None or not exchange.request.shown:
            continue
        greets = exchange.request.is_greeting(seen.revision)
        number = exchange.request.get("greeting_number")
        name = f"greeting_{1 if number is None else number}" if greets else _uid_before(exchange, frame)
        room = exchange.room
        if room is not None and not found["room"].startswith("~") and found["room"] != room:
            yield breach(exchange, frame, f"a path with the room {shown(room)}", shown(found["room"]))
        elif found["name"] != name:
            yield breach(exchange, frame, f"{name}.mp3", f"{found['name']}.mp3")
        else:
            yield None


def _uid_before(turn: Exchange, frame: Frame) -> object:
    """The sent_uid of the sentence that ended before a voice; the voice's own where tokens carry none."""
    before = [token.get("sent_uid") for token in turn.tokens if token.number < frame.number]
    return before[-1] if before and before[-1] is not None else frame.get("sent_uid")


def urls_last_as_long_as_documented(seen: Evidence) -> Sights:
    life = seen.revision.voice_life
    for exchange, frame in _announced(seen):
        found = VOICE_URL.fullmatch(str(frame.get("voice_url")))
        started = exchange.first("START")
        asked = started.get("cAt") if started is not None else None
        if found is None or not isinstance(asked, str) or not C_AT.fullmatch(asked):
            continue
        got = int(found["expires"]) - float(asked)
        if life - 2 <= got <= life + LATE:
            yield None
        else:
            yield breach(exchange, frame, f"Expires {life} s after the voice was made", f"{got:.0f} s after START")


def lengths_are_whole_steps(seen: Evidence) -> Sights:
    for exchange, frame in _announced(seen):
        if "voice_length" not in (frame.body or {}):
            continue
        got = frame.get("voice_length")
        number = isinstance(got, int | float) and not isinstance(got, bool) and 0 < got < LONGEST
        steps = got / STEP if number else 0.5
        if number and isclose(steps, round(steps), abs_tol=1e-4):
            yield None
        else:
            yield breach(exchange, frame, "voice_length: seconds, a multiple of 0.024", shown(got))


def _announced(seen: Evidence) -> Iterator[tuple[Exchange, Frame]]:
    for exchange in (*seen.turns, *seen.greetings):
        for frame in exchange.voices:
            yield exchange, frame


def _fetched(seen: Evidence, variant: str) -> Iterator[tuple[Exchange, Frame, Download]]:
    for exchange, frame in _announced(seen):
        download = seen.downloads.get((str(frame.get("voice_url")), variant))
        if download is not None:
            yield exchange, frame, download


def voices_can_be_fetched(seen: Evidence) -> Sights:
    for exchange, frame, download in _fetched(seen, "plain"):
        if download.status == 200 and download.content_type.startswith("audio/"):
            yield None
        else:
            got = download.problem or f"HTTP {download.status} {download.content_type}".strip()
            yield breach(exchange, frame, "HTTP 200 with audio/mpeg", got)


def voices_are_mpeg(seen: Evidence) -> Sights:
    for exchange, frame, download in _fetched(seen, "plain"):
        if download.status != 200:
            continue
        try:
            found = read_mp3(download.body)
        except NotMp3 as no:
            yield breach(exchange, frame, "a whole MP3 file", str(no))
            continue
        if (found.version, found.rate, found.channels) == ("MPEG-2", 24000, 1):
            yield None
        else:
            channels = "mono" if found.channels == 1 else "stereo"
            yield breach(exchange, frame, "MPEG-2, 24000 Hz, mono", f"{found.version}, {found.rate} Hz, {channels}")


def lengths_are_those_of_the_files(seen: Evidence) -> Sights:
    for exchange, frame, download in _fetched(seen, "plain"):
        told = frame.get("voice_length")
        if download.status != 200 or not isinstance(told, int | float) or not 0 <= told < LONGEST:
            continue  # another rule's
        try:
            found = read_mp3(download.body)
        except NotMp3:
            continue  # another rule's
        lengths = {round(count * STEP, 3) for count in (found.frames, found.told)}
        if any(isclose(told, length, abs_tol=0.0005) for length in lengths):
            yield None
        else:
            yield breach(exchange, frame, f"voice_length {max(lengths)}, as long as the file", shown(told))


def _is_denied(variants: tuple[str, ...]) -> Callable[[Evidence], Sights]:
    told = {"unsigned": "without Signature", "altered": "with another Signature", "extended": "with a later Expires"}

    def check(seen: Evidence) -> Sights:
        for variant in variants:
            for exchange, frame, download in _fetched(seen, variant):
                if download.status == 403:
                    yield None
                else:
                    got = download.problem or f"HTTP {download.status}"
                    yield breach(exchange, frame, f"HTTP 403 {told[variant]}", got)

    return check


_NO_VOICES = "no turn had voices (they are asked for unless the group is left out)"
_NOT_FETCHED = "no voice was fetched (tapes have none)"

RULES: tuple[Rule[Evidence], ...] = (
    Rule(
        "sentences.voice-each",
        "With return_voice 1 each sentence has one voice_ready.",
        "spec 5 and 6",
        each_sentence_has_a_voice,
        _NO_VOICES,
        R3,
        also=(V1,),
    ),
    Rule(
        "sentences.voice-place",
        "voice_ready comes after the last token of its sentence and before the first of the next.",
        "spec 0.7 and 6",
        voices_stand_after_their_sentence,
        _NO_VOICES,
        R3,
        also=(V1,),
    ),
    Rule(
        "sentences.voice-uid",
        "voice_ready carries the sent_uid of its sentence.",
        "spec 6",
        voices_name_their_sentence,
        _NO_VOICES,
        R3,
        also=(V1,),
        but=(R5,),
    ),
    Rule(
        "sentences.voice-text",
        "msg of voice_ready is the tokens of its sentence joined, leading space kept.",
        "spec 6",
        voices_say_their_sentence,
        _NO_VOICES,
        R6,
    ),
    Rule(
        "voices.none",
        "With return_voice 0 there is no voice.",
        "spec 6",
        no_voice_unless_asked,
        "return_voice was never 0",
        R3,
        also=(V1,),
    ),
    Rule(
        "voices.url",
        "voice_url is /room_uid_voice/ROOM/NAME.mp3 with Expires, Signature (344 characters) and Key-Pair-Id, in this "
        "order.",
        "spec 4, voice_url",
        urls_have_their_form,
        _NO_VOICES,
        R3,
    ),
    Rule(
        "voices.name",
        "The path of voice_url names the room and the sent_uid, for a greeting greeting_N.",
        "spec 4, voice_url",
        urls_name_their_voice,
        _NO_VOICES,
        R3,
    ),
    Rule(
        "voices.life",
        "A voice lasts one hour up to 2024-10-07, 7 days from 2024-11-03 on.",
        "spec 4, Expires",
        urls_last_as_long_as_documented,
        _NO_VOICES,
        R3,
    ),
    Rule(
        "voices.step",
        "voice_length is a multiple of 0.024 seconds.",
        "spec 4, voice_length",
        lengths_are_whole_steps,
        "no frame carried a voice_length",
        R4,
        also=(V1,),
    ),
    Rule(
        "voices.fetch",
        "voice_url gives the voice: HTTP 200 and audio.",
        "spec 4, voice_url",
        voices_can_be_fetched,
        _NOT_FETCHED,
        R3,
        also=(V1,),
    ),
    Rule(
        "voices.mpeg",
        "A voice is a whole file of MPEG-2 Layer III, 24 kHz, mono.",
        "spec 4, voice_length",
        voices_are_mpeg,
        _NOT_FETCHED,
        R3,
        also=(V1,),
    ),
    Rule(
        "voices.length",
        "voice_length is the length of the file.",
        "spec 4, voice_length",
        lengths_are_those_of_the_files,
        "no voice with a voice_length was fetched (tapes have none)",
        R4,
        also=(V1,),
    ),
    Rule(
        "voices.signed",
        "Without its signature, with another, or with a later Expires the voice is denied: HTTP 403.",
        "spec 4, CloudFront canned policy",
        _is_denied(REFUSED),
        _NOT_FETCHED,
        R3,
        also=(V1,),
    ),
    Rule(
        "greeting.text",
        "msg of a greeting's voice_ready is the greeting.",
        "spec 1, R4",
        greetings_say_the_same,
        "no greeting had a voice",
        R4,
    ),
    Rule(
        "greeting.voice",
        "A greeting asked for with return_voice 1 has one voice_ready.",
        "spec 5, reply grammar",
        greetings_are_voiced,
        "no greeting was asked for with return_voice 1",
        R4,
    ),
)
