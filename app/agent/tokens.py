"""Cuts a text into tokens that look like those of a GPT model: what the scripted model streams.

A space goes with the word after it; Hangul, Han and kana are cut into one to three signs, other words into pieces of
at most eight letters; digits come in threes, punctuation alone, line breaks apart. The same word is always cut alike.
"""

import re
from functools import cache
from unicodedata import category, combining

_ENDINGS = (
    "습니다|합니다|입니다|습니까|됩니다|이에요|거예요|하세요|으세요|에요|예요|세요|네요|어요|아요|해요|나요|까요|은데|는데|"
    "지만|니까|면서|어서|아서|려고|하는|하고|해서|에서|으로|에게|까지|부터|처럼|라고"
)
_JAMO = "\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff"
_SIGNS = f"{_JAMO}\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff"
"""Hangul, Han and kana."""


def cut_tokens(text: str) -> list[str]:
    """The tokens of `text`, none empty; joined they are the text. Divides no grapheme cluster; linear in the text."""
    tokens: list[str] = _pattern().findall(text)
    if text.isascii():
        return tokens
    ends: list[int] = []
    at = 0
    for token in tokens:
        first = token[0]
        if first > "\u02ff" and at and _attaches(text[at - 1], first):
            ends.pop()
        at += len(token)
        ends.append(at)
    if len(ends) == len(tokens):
        return tokens
    return [text[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


@cache
def _pattern() -> re.Pattern[str]:
    letter = rf"[^\W\d_{_SIGNS}]"
    # Which signs take the next one along is spread over the whole range, so that words fall into uneven pieces.
    hangul, han = range(ord("가"), ord("힣"), 28), range(ord("一"), ord("鿿"), 32)
    paired_hangul = "".join(f"{chr(first)}-{chr(first + 27)}" for i, first in enumerate(hangul) if i % 5 in (1, 4))
    paired_han = "".join(f"{chr(first)}-{chr(first + 31)}" for i, first in enumerate(han) if i % 3 < 2)
    return re.compile(
        rf"""
        (?:\r\n|\r|\n){{1,4}}
      | [^\S\r\n]{{1,16}}(?=\s|\Z)
      | ['’](?:[sdmt]|ll|ve|re)(?!\w)
      | [ ]?(?:
            {_ENDINGS}
          | [{paired_hangul}](?!{_ENDINGS})[가-힣]
          | [가-힣]
          | {letter}{{1,8}}(?!{letter})
          | {letter}{{6}}
          | [ㄱ-ㆎ]{{1,3}}
          | [{paired_han}][一-鿿]?
          | [あ-そ][ぁ-ゖー]{{0,2}}
          | [ァ-ヺー]{{1,3}}
          | [\U0001f1e6-\U0001f1ff]{{2}}
          | \.{{2,3}} | -{{2,3}} | \*\*
          | (?!\d)\S
        )
      | \d{{1,3}}
      | \s
        """,
        re.VERBOSE,
    )


def _attaches(before: str, sign: str) -> bool:
    """Whether `sign` belongs to one grapheme cluster, or one conjunct, with the character before it."""
    if "가" <= sign <= "힣":
        return "\u1100" <= before <= "\u115f" or "\ua960" <= before <= "\ua97c"
    kind = category(sign)
    if kind[0] == "M" or "\u200c" <= sign <= "\u200d" or "\U0001f3fb" <= sign <= "\U0001f3ff":
        return True
    if kind == "Cf":
        return "\U000e0020" <= sign <= "\U000e007f"
    if kind == "Lo":
        if "\u1160" <= sign <= "\u11ff" or "\ud7b0" <= sign <= "\ud7fb" or sign in "\u0e33\u0eb3\uff9e\uff9f":
            return True
        if "\u1100" <= sign <= "\u115f" or "\ua960" <= sign <= "\ua97c":
            return "\u1100" <= before <= "\u115f" or "\ua960" <= before <= "\ua97c"
    return before == "\u200d" or combining(before) == 9  # a joiner, or the virama that joins two consonants
