"""The hotword detector: which memories a growing reply finds, when, and at what price."""

from __future__ import annotations

import sys
import timeit
from collections.abc import Sequence
from unicodedata import decomposition, normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.agent.hotwords import Hit, HotwordBook, HotwordDetector, _alters
from app.agent.tokens import cut_tokens
from app.spaces.models import Memory


def memory(uid: str, *variants: str, hotword: bool = True) -> Memory:
    return Memory(uid, name=uid, variants=variants, hotword=hotword)


def book(*memories: Sequence[str]) -> HotwordBook:
    """Memories named A, B, C …, one for each list of variants."""
    return HotwordBook([memory(chr(ord("A") + number), *variants) for number, variants in enumerate(memories)])


def read(detector: HotwordDetector, tokens: Sequence[str]) -> list[list[tuple[str, str]]]:
    """The hits of each token, and of the end."""
    heard = [*(detector.feed(token) for token in tokens), detector.close()]
    return [[(hit.uid, hit.word) for hit in hits] for hits in heard]


def found(words: HotwordBook, *tokens: str, fired: Sequence[str] = ()) -> list[tuple[str, str]]:
    return [hit for hits in read(words.detector(frozenset(fired)), tokens) for hit in hits]


def test_a_word_is_found_with_the_token_that_completes_it() -> None:
    assert read(book(["도손"]).detector(), ["안녕, ", "도", "손", "입니다"]) == [[], [], [("A", "도손")], [], []]


def test_a_word_is_found_inside_a_longer_one() -> None:
    assert found(book(["손님"]), "그손님께서는") == [("A", "손님")]


def test_a_memory_is_found_once() -> None:
    detector = book(["나"], ["나비", "비"]).detector()
    assert read(detector, ["나", "나비", "비나비"]) == [[("A", "나")], [("B", "나비")], [], []]
    assert list(detector.fired) == ["A", "B"]


def test_what_earlier_turns_found_is_not_found_again() -> None:
    words = book(["하나"], ["둘"], ["셋"])
    assert found(words, "하나 둘 셋", fired=["B", "elsewhere"]) == [("A", "하나"), ("C", "셋")]
    assert found(words, "하나 둘 셋", fired=["A", "B", "C"]) == []


def test_detectors_of_one_book_know_nothing_of_each_other() -> None:
    words = book(["손님"])
    first, second = words.detector(), words.detector()
    assert [first.feed("손"), second.feed("손"), second.feed("님"), first.feed("!"), first.feed("손님")] == [
        [],
        [],
        [Hit("A", "손님")],
        [],
        [Hit("A", "손님")],
    ]


@pytest.mark.parametrize("variants", [["34", "34번가"], ["34번가", "34"]])
def test_the_variant_complete_first_is_found_and_shields_the_longer_one(variants: list[str]) -> None:
    assert read(book(variants).detector(), ["3", "4", "번", "가"]) == [[], [("A", "34")], [], [], []]


@pytest.mark.parametrize(
    ("variants", "word"),
    [(["번가", "34번가"], "번가"), (["34번가", "번가"], "34번가"), (["가나", "번가", "34번가"], "번가")],
)
def test_of_variants_that_end_together_the_upper_one_is_found(variants: list[str], word: str) -> None:
    assert found(book(variants), "34번", "가") == [("A", word)]


def test_hits_of_one_token_come_as_they_end_and_then_top_to_bottom() -> None:
    words = book(["라"], ["다라"], ["가나"], ["나다라"], ["나"])
    assert found(words, "가나다라") == [("C", "가나"), ("E", "나"), ("A", "라"), ("B", "다라"), ("D", "나다라")]


def test_one_word_may_belong_to_several_memories() -> None:
    assert found(book(["사과"], ["배", "사과"]), "사과") == [("A", "사과"), ("B", "사과")]


@pytest.mark.parametrize(
    ("word", "text"),
    [("Seoul", "SEOUL"), ("SEOUL", "seoul"), ("Straße", "STRASSE"), ("ΟΔΟΣ", "οδος"), ("ЁЛКА", "ёлка")],
)
def test_case_does_not_count(word: str, text: str) -> None:
    assert found(book([word]), *text) == [("A", word)]


@pytest.mark.parametrize("word", ["도손", "が", "café", "नमस्ते", "안녕하세요", "กำลัง", "👨‍👩‍👧", "ệ", "ᾂ"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
def test_the_way_a_letter_is_written_does_not_count(word: str, form: str, asked: str) -> None:
    text = normalize(form, f"앞 {word}, 뒤")  # type: ignore[arg-type]
    declared = normalize(asked, word)  # type: ignore[arg-type]
    assert found(book([declared]), text) == [("A", declared)]
    assert found(book([declared]), *text) == [("A", declared)]


def test_a_syllable_under_composition_is_not_found_too_early() -> None:
    jamo = normalize("NFD", "돈")
    assert read(book(["도"], ["돈"]).detector(), [*jamo, "을"]) == [[], [], [("B", "돈")], [], []]
    assert found(book(["도"], ["돈"]), jamo) == [("B", "돈")]


def test_a_syllable_of_jamo_is_found_once_it_can_take_no_more() -> None:
    jamo = normalize("NFD", "바다")
    assert read(book(["바다"]).detector(), [jamo, "는"]) == [[], [("A", "바다")], []]
    assert read(book(["바다"]).detector(), [*jamo]) == [[], [], [], [], [("A", "바다")]]


def test_an_accent_in_its_own_token_takes_nothing_back_and_still_counts() -> None:
    words = book(["cafe"], ["café"])
    assert read(words.detector(), ["cafe", "\u0301"]) == [[("A", "cafe")], [("B", "café")], []]
    assert found(words, "cafe\u0301") == [("B", "café")]


def test_memories_that_do_not_listen_are_left_out() -> None:
    words = HotwordBook([memory("a", "하나", hotword=False), memory("b", "둘"), memory("c"), memory("d", "", "셋")])
    assert len(words) == 3
    assert found(words, "하나 둘 셋") == [("b", "둘"), ("d", "셋")]


def test_any_text_can_be_fed() -> None:
    words = book(["\ud83d끝"], ["\x00"])
    assert found(words, "\ud83d", "끝", "", "\x00") == [("A", "\ud83d끝"), ("B", "\x00")]


@pytest.mark.parametrize("memories", [[], [memory("a")], [memory("a", "하나", hotword=False)]])
def test_an_empty_book_finds_nothing(memories: list[Memory]) -> None:
    assert found(HotwordBook(memories), "하나 둘", "셋") == []


def test_every_sign_that_composes_with_the_one_before_it_is_known() -> None:
    wrong = []
    for code in range(sys.maxunicode + 1):
        parts = decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            first, second = (chr(int(part, 16)) for part in parts)
            if normalize("NFC", first + second) == chr(code) and not _alters(second):
                wrong.append(f"{ord(second):x}")
    assert not wrong
    hangul = [chr(code) for code in range(0x1100, 0x1200) if len(normalize("NFC", "가" + chr(code))) == 1]
    hangul += [chr(code) for code in range(0x1100, 0x1200) if len(normalize("NFC", "ᄀ" + chr(code))) == 1]
    assert len(hangul) == 27 + 21
    assert all(map(_alters, hangul))


# Few letters, so that words occur, overlap and end together; each composed letter also in its parts.
LETTERS = [
    *"aABßsſ",
    "ss",
    *"가나도돈손34",
    *"かが",
    "e",
    "é",
    "ệ",
    "도돈",
    *"도돈",
    "\u0301",
    "\u3099",
    "\u0302",
    "😊",
    "\u200d",
]
LETTERS += [normalize("NFD", letter) for letter in LETTERS]
words_lists = st.lists(
    st.lists(st.lists(st.sampled_from(LETTERS), min_size=1, max_size=4).map("".join), max_size=4), max_size=6
)
texts = st.lists(st.sampled_from(LETTERS), max_size=24).map("".join)


def expected(memories: Sequence[Sequence[str]], text: str, fired: set[str]) -> list[tuple[str, str]]:
    """The plain reading of the rules, over the whole text; adds to `fired`."""
    hits = []
    text = normalize("NFC", text).casefold()
    for end in range(1, len(text) + 1):
        for number, variants in enumerate(memories):
            uid = chr(ord("A") + number)
            for variant in variants:
                if uid not in fired and text[:end].endswith(normalize("NFC", variant).casefold()):
                    fired.add(uid)
                    hits.append((uid, variant))
    return hits


def complete(text: str) -> str:
    """`text` without the jamo at its end that may still join others."""
    for size in (2, 1):
        if len(normalize("NFC", text[-size:] + "\u1161")) == 1 or len(normalize("NFC", text[-size:] + "\u11a8")) == 1:
            jamo = text[-size:] if len(text) >= size else ""
            if jamo and all("\u1100" <= sign <= "\u1175" for sign in jamo):
                return text[:-size]
    return text


@st.composite
def cuts(draw: st.DrawFn) -> list[str]:
    text = draw(texts)
    ends = sorted(draw(st.lists(st.integers(0, len(text)), max_size=len(text))))
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


@settings(max_examples=600)
@given(words_lists, cuts())
def test_each_token_finds_what_the_text_so_far_says(memories: list[list[str]], tokens: list[str]) -> None:
    fired: set[str] = set()
    text = ""
    want = []
    for token in tokens:
        text += token
        want.append(expected(memories, complete(text), fired))
    want.append(expected(memories, text, fired))
    assert read(book(*memories).detector(), tokens) == want


@settings(max_examples=600)
@given(words_lists, cuts())
def test_it_does_not_count_where_tokens_are_cut(memories: list[list[str]], tokens: list[str]) -> None:
    whole: list[str] = []
    text = ""
    for token in tokens:
        divides = normalize("NFC", text + token) != normalize("NFC", text) + normalize("NFC", token)
        if whole and divides and complete(text) == text:
            whole[-1] += token
        else:
            whole.append(token)
        text += token
    assert found(book(*memories), *whole) == expected(memories, text, set())


@given(words_lists, texts, st.sets(st.sampled_from("ABCDEF")))
def test_nothing_fires_that_has_fired(memories: list[list[str]], text: str, fired: set[str]) -> None:
    assert found(book(*memories), text, fired=sorted(fired)) == expected(memories, text, set(fired))


def syllables(number: int) -> str:
    return "".join(chr(0xAC00 + (number * step + 7 * step) % 11172) for step in (101, 757, 3001))


@pytest.fixture(scope="module")
def large() -> HotwordBook:
    """5,000 memories that listen, one word each."""
    return HotwordBook([memory(f"{number:017x}", syllables(number), f"word{number}") for number in range(5000)])


def test_a_100_kb_reply_is_searched_through(large: HotwordBook) -> None:
    filler = "오늘은 날씨가 참 좋네요. Today is a fine day. " * 1000
    text = filler + syllables(4321) + filler + "wOrD17" + syllables(99)
    assert len(text.encode()) > 100_000
    want = [("0" * 13 + "10e1", syllables(4321)), ("0" * 16 + "1", "word1"), ("0" * 15 + "11", "word17")]
    want.append(("0" * 15 + "63", syllables(99)))
    assert found(large, text) == want
    assert found(large, *text) == want
    assert found(large, *cut_tokens(normalize("NFD", text))) == want


def test_all_of_5000_memories_can_be_found(large: HotwordBook) -> None:
    detector = large.detector()
    assert sum(len(detector.feed(syllables(number) + " ")) for number in range(5000)) == 5000
    assert len(detector.fired) == 5000


def test_what_a_detector_keeps_does_not_grow_with_the_text(large: HotwordBook) -> None:
    detector = large.detector()
    for _ in range(20_000):
        detector.feed("오늘은 ")
    assert sum(map(len, detector._recent)) < 300
    detector.feed("오늘은 " * 20_000)
    assert sum(map(len, detector._recent)) < 400


def cost(words: HotwordBook, tokens: Sequence[str]) -> float:
    """Seconds for one reading; the best of several."""

    def once() -> None:
        feed = words.detector().feed
        for token in tokens:
            feed(token)

    return min(timeit.repeat(once, number=1, repeat=9))


def test_the_number_and_the_length_of_the_words_do_not_count(large: HotwordBook) -> None:
    tokens = cut_tokens("오늘은 날씨가 참 좋네요. Today is fine! " * 200)
    few = cost(book(["도손"]), tokens)
    assert cost(large, tokens) < 4 * few
    assert cost(book(["도손", "가나다라마바사아자차카타파하" * 1000]), tokens) < 4 * few


def test_a_text_twice_as_long_costs_twice(large: HotwordBook) -> None:
    text = "오늘은 날씨가 참 좋네요. "
    assert cost(large, cut_tokens(text * 1600)) < 8 * cost(large, cut_tokens(text * 400))


def test_5000_words_cost_a_turn_of_400_tokens_next_to_nothing(large: HotwordBook) -> None:
    tokens = ["안녕", "하세요", ",", " 오늘", "은", " 날씨", "가", " 참", " 좋", "네요"] * 40
    assert cost(large, tokens) < 0.005  # a turn of 400 tokens takes four times as long and more
    assert cost(HotwordBook([]), tokens) < 0.0005
