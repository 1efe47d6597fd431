"""Rules on hotwords and choices. PURE."""

from __future__ import annotations

import json
from unicodedata import normalize

from app.contract.checks.rules import Rule, Sights
from app.contract.chldo.frames import Exchange, Frame
from app.contract.chldo.reading import Evidence
from app.contract.chldo.rules.sights import breach, shown
from app.contract.chldo.words import R5, R9, hotword_text

REACH = 3
"""Frames of tokens in which a word may be completed: a token that ends a sentence may be sent in pieces."""


def hotwords_say_their_word(seen: Evidence) -> Sights:
    for turn in seen.turns:
        for frame in turn.of("hotword_detected"):
            expected, got = hotword_text(str(frame.get("hotword"))), frame.get("msg")
            yield None if got == expected else breach(turn, frame, f"msg {shown(expected)}", shown(got))


def dictionaries_follow_their_hotword(seen: Evidence) -> Sights:
    for turn in seen.clear_turns:
        for place, frame in enumerate(turn.frames):
            if frame.kind != "memory_dict":
                continue
            before = turn.frames[place - 1]
            same = all(before.get(key) == frame.get(key) for key in ("hotword", "hotword_uid"))
            if before.kind == "hotword_detected" and same:
                yield None
            else:
                yield breach(
                    turn, frame, "right after hotword_detected of the same word and uid", f"after {before.kind}"
                )


def dictionaries_are_lists(seen: Evidence) -> Sights:
    for turn in seen.turns:
        for frame in turn.of("memory_dict"):
            msg = frame.get("msg")
            pairs = _json(msg)
            if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
                yield breach(turn, frame, 'msg: JSON text of a list of {"v": …, "k": …}', shown(msg))
            elif json.dumps(pairs) != msg:
                yield breach(turn, frame, "msg as Python's json.dumps writes it", shown(msg))
            else:
                yield None


def _json(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None


def _is_pair(pair: object) -> bool:
    return isinstance(pair, dict) and list(pair) == ["v", "k"] and all(isinstance(text, str) for text in pair.values())


def hotwords_come_before_their_token(seen: Evidence) -> Sights:
    for turn in seen.clear_turns:
        for frame in turn.of("hotword_detected"):
            word = _folded(str(frame.get("hotword")))
            before = [one.text for one in turn.tokens if one.number < frame.number]
            after = [one.text for one in turn.tokens if one.number > frame.number][:REACH]
            if word in _folded("".join(before)):
                yield breach(turn, frame, "before the token that completes the word", "after it")
            elif word in _folded("".join((*before, *after))):
                yield None
            elif turn.over:
                yield breach(
                    turn, frame, f"tokens that complete {shown(frame.get('hotword'))} next", shown("".join(after))
                )


def _folded(text: str) -> str:
    return normalize("NFC", text).casefold()


def memories_fire_once(seen: Evidence) -> Sights:
    fired: dict[object, set[object]] = {}
    crowded = seen.crowded_rooms
    for turn in seen.turns:
        told: set[object] = set()
        for frame in turn.of("hotword_detected"):
            uid = frame.get("hotword_uid")
            if uid in told or uid in fired.get(turn.room, ()):
                yield breach(turn, frame, "each memory once in a room", f"{shown(uid)} again")
            else:
                yield None
            told.add(uid)
        if _is_kept(turn) and turn.room is not None and turn.room not in crowded:
            fired.setdefault(turn.room, set()).update(told)


def _is_kept(turn: Exchange) -> bool:
    return turn.over and not turn.failed and turn.request.get("no_save") not in (1, "1")


def choices_are_as_many(seen: Evidence) -> Sights:
    for turn, frame in _offers(seen):
        asked = turn.request.get("use_choices")
        offered = frame.get("choices")
        if not isinstance(asked, int) or not isinstance(offered, list):
            continue
        got = len(offered)
        yield None if got <= asked else breach(turn, frame, f"{asked} choices, as asked for, at the most", str(got))


def choices_echo_the_number(seen: Evidence) -> Sights:
    for turn, frame in _offers(seen):
        asked, got = turn.request.get("use_choices"), frame.get("use_choices")
        yield None if got == asked else breach(turn, frame, f"use_choices {shown(asked)}", shown(got))


def choices_have_text_and_tone(seen: Evidence) -> Sights:
    for turn, frame in _offers(seen):
        offered = frame.get("choices")
        for choice in offered if isinstance(offered, list) else [offered]:
            fits = isinstance(choice, dict) and list(choice) == ["text", "tone"]
            if fits and all(isinstance(value, str) and value for value in choice.values()):
                yield None
            else:
                yield breach(turn, frame, 'choices: a list of {"text": …, "tone": …}', shown(choice))


def _offers(seen: Evidence) -> list[tuple[Exchange, Frame]]:
    """Of turns that were asked for choices."""
    asking = [turn for turn in seen.clear_turns if turn.request.get("use_choices") not in (None, 0)]
    return [(turn, frame) for turn in asking for frame in turn.of("choices_end")]


_SECTION = "spec 7, hotword/memory"
_NO_HOTWORD = "no reply had a hotword (--say names a message whose reply does)"
_NO_DICT = "no reply had a hotword with a dictionary (--say names a message whose reply does)"
_NO_CHOICES = "no choices came"

RULES: tuple[Rule[Evidence], ...] = (
    Rule(
        "hotwords.text",
        f"hotword_detected says {hotword_text('…')}",
        "spec 8.4",
        hotwords_say_their_word,
        _NO_HOTWORD,
        R5,
    ),
    Rule(
        "hotwords.place",
        "hotword_detected comes before the token that completes the word.",
        _SECTION,
        hotwords_come_before_their_token,
        _NO_HOTWORD,
        R5,
    ),
    Rule("hotwords.once", "Each memory fires once in a room.", _SECTION, memories_fire_once, _NO_HOTWORD, R5),
    Rule(
        "hotwords.pair",
        "memory_dict follows its hotword_detected at once, with the same hotword and hotword_uid.",
        _SECTION,
        dictionaries_follow_their_hotword,
        _NO_DICT,
        R5,
    ),
    Rule(
        "hotwords.dictionary",
        "msg of memory_dict is a list of v and k as JSON text, as Python's json.dumps writes it.",
        "spec 7 and 8.5",
        dictionaries_are_lists,
        _NO_DICT,
        R5,
    ),
    Rule(
        "choices.count",
        "There are no more choices than use_choices asked for.",
        "spec 3, use_choices",
        choices_are_as_many,
        _NO_CHOICES,
        R9,
    ),
    Rule(
        "choices.number",
        "use_choices of the last choices frame is the request's.",
        "spec 5, sample frames",
        choices_echo_the_number,
        _NO_CHOICES,
        R9,
    ),
    Rule(
        "choices.form",
        "A choice has text and tone, in this order, both texts.",
        "spec 5, sample frames",
        choices_have_text_and_tone,
        _NO_CHOICES,
        R9,
    ),
)
