"""The tokens of the scripted model."""

import time
import timeit
from itertools import pairwise
from unicodedata import category, normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.agent.tokens import cut_tokens

FRAGMENTS = [
    *"가나다각힣ㅋㅠ一漢あのカーabcXYZéЖनอع",
    *"0123456789٣",
    *" \n\r\t\u3000",
    *".,?!()\"'’-*_`…。",
    "\u0301",
    "\u094d",
    "\u200d",
    "\ufe0f",
    "\u1100",
    "\u1161",
    "\u11ab",
    "😊",
    "👍🏽",
    "🇰🇷",
    "👨\u200d👩\u200d👧",
    " 안녕하세요",
    " internationalization",
    "don't",
    "क्षत्रिय",
]
texts = st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join) | st.text()


@settings(max_examples=500, deadline=None)
@given(texts)
def test_tokens_joined_are_the_text(text: str) -> None:
    tokens = cut_tokens(text)
    assert "".join(tokens) == text
    assert all(tokens)


@settings(max_examples=500, deadline=None)
@given(texts)
def test_no_token_starts_inside_a_cluster(text: str) -> None:
    tokens = cut_tokens(text)
    for before, token in pairwise(tokens):
        assert category(token[0])[0] != "M"
        assert not "\u1160" <= token[0] <= "\u11ff"
        assert token[0] not in "\u200c\u200d🏻🏼🏽🏾🏿"
        assert not (before[-1] == "\u200d" and category(token[0]) == "So")
        assert not (before[-1] == "\r" and token[0] == "\n")


@settings(max_examples=300, deadline=None)
@given(st.text("가나다각힣안녕세요하습니漢字あの ", max_size=40))
def test_hangul_han_and_kana_come_in_short_pieces(text: str) -> None:
    assert all(len(token.strip()) <= 3 for token in cut_tokens(text))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.from_regex(r"[A-Za-z]{1,30}|[0-9]{1,12}", fullmatch=True), max_size=8).map(" ".join))
def test_words_and_numbers_come_in_bounded_pieces(text: str) -> None:
    for token in cut_tokens(text):
        assert len(token) <= (3 if token.isdigit() else 9)
        assert token == " " or " " not in token[1:]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("네, 또 만나서 반갑습니다.", ["네", ",", " 또", " 만나", "서", " 반", "갑", "습니다", "."]),
        ("Halo! Ada yang bisa?", ["Halo", "!", " Ada", " yang", " bisa", "?"]),
        ("don't we've", ["don", "'t", " we", "'ve"]),
        ("internationalization", ["intern", "ationa", "lization"]),
        ("1234567.25", ["123", "456", "7", ".", "25"]),
        ("a 12", ["a", " ", "12"]),
        ("정말요...?!", ["정말", "요", "...", "?", "!"]),
        ("a\r\n\r\nb\n", ["a", "\r\n\r\n", "b", "\n"]),
        ("a   b  ", ["a", "  ", " b", "  "]),
        ("(네)", ["(", "네", ")"]),
        ("👨\u200d👩\u200d👧 👍🏽🇰🇷🇺🇸1\ufe0f\u20e3", ["👨\u200d👩\u200d👧", " 👍🏽", "🇰🇷", "🇺🇸", "1\ufe0f\u20e3"]),
        ("नमस्ते जी", ["नमस्ते", " जी"]),
        ("cafe\u0301 ok", ["cafe\u0301", " ok"]),
        (normalize("NFD", "한글"), [normalize("NFD", "한"), normalize("NFD", "글")]),
    ],
)
def test_tokens_look_like_those_of_a_model(text: str, tokens: list[str]) -> None:
    assert cut_tokens(text) == tokens


def test_the_same_word_is_always_cut_alike() -> None:
    words = " 특별한 기억을 그림으로 담아드리려고 합니다"
    assert cut_tokens(words * 3) == cut_tokens(words) * 3


@pytest.mark.parametrize(
    "unit",
    ["안녕하세요 반갑습니다. ", "internationalization ", "今天天气", "\u0301", " ", "\n", ".", "a", "👨\u200d👩", "क्ष"],
)
def test_work_grows_with_the_text_only(unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        return min(timeit.repeat(lambda: cut_tokens(text), timer=time.process_time, number=1, repeat=3))

    seconds(10)
    assert seconds(80_000) < 20 * seconds(10_000) + 0.05  # 8 times the text; 64 times the work if quadratic
