"""Whether a sentence goes on after a run of terminators, by what stands before and after it. PURE.

The splitter asks twice: `clue_of` when the run is over, for what it may mean; then, where there is a clue,
`Clue.goes_on` for each character behind the white space, until that is decided. The words are in `sentence_words.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from unicodedata import category, normalize

from app.agent.sentence_words import (
    ABBREVIATIONS,
    AFTER_QUOTATIONS,
    BEFORE_ORDINALS,
    COUNTERS,
    JAPANESE_STARTERS,
    LETTERS_OF_LISTS,
    NUMBERED,
    ORDINAL_NOUNS,
    PARTICLES,
    STARTERS,
    Abbreviation,
)

LONGEST_WORD = 16
"""Code points of what follows that are looked at."""

_WORD_JOINERS = frozenset("'’-‐/&+_@")

_SYLLABLES = 4
"""Of a Korean or Japanese word, which decide."""

_NUMBER = re.compile(r"(?<![\d.,])(?:\d{1,2}\.)*(\d{1,4})\Z")
_DATE = re.compile(r"(?<![\d.,])(?:\d{4}\. ?\d{1,2}(?:\. ?\d{1,2})?|\d{1,2}\. \d{1,2})\Z")
_LIST_NUMBER = re.compile(r"\n[ \t>*#-]{0,4}(?:\d{1,3}|[ivxIVX]{1,4})\Z")
_LIST_LETTER = re.compile(r"\n[ \t>*#-]{0,4}(\w\w?\w?)\Z")
_COUNTED = re.compile(r"(?<![\w.,])(?:\d{1,3}|[^\W\d_]{1,3})\Z")
_LIST_START = re.compile(r"(?:(?:\A|\n)[\s>*#·-]{0,6}|[•(]\s*| [>*·-]{1,3} )\Z")
_FIRST = re.compile(r"(?:[:;] |[.!?] |[。！？：] ?)\Z")
_ROMAN = re.compile(r"(?<!\w)[IVXLCDM]{2,7}\Z")


class Kind(Enum):
    """What the run may be part of."""

    OPEN = "an abbreviation that never ends a sentence, a date, the number of a list"
    EITHER = "an abbreviation"
    SMALL = "an abbreviation before a small letter"
    NUMBERED = "an abbreviation before a number"
    NUMBER = "an ordinal, a date"
    ROMAN = "the number of a king"
    QUOTATION = "a quotation, or what stands in brackets"
    ELLIPSIS = "a pause in the middle"


@dataclass(frozen=True, slots=True)
class Clue:
    """What the run may be part of; `before`: what stands before it."""

    kind: Kind
    before: str = ""

    def goes_on_directly(self, sign: str) -> bool:
        """Whether the sentence goes on with `sign` where no white space is in between."""
        return self.kind is Kind.OPEN or (self.kind is Kind.EITHER and sign.isalpha())

    def goes_on(self, ahead: str, following: str | None) -> bool | None:
        """Whether the sentence goes on. `ahead`: the letters or digits that follow the white space, as far as they are
        known; `following`: what comes behind them, "" at the end of the text, None while that is not known. The answer
        is None while it hangs on what is not known, and never where `following` is.
        """
        if self.kind is Kind.OPEN:
            return True
        if not ahead:
            return None if following is None else following in _GO_ON.get(self.kind, ())
        return _DECIDED[self.kind](self.before, ahead, following)


def clue_of(before: str, dots: int, *, closed: bool, list_number: int | None) -> Clue | None:
    """What a run of terminators after `before` may be part of; None where it ends the sentence whatever follows.

    `dots`: 1 for a single dot, 2 for an ellipsis, 0 for anything else. `closed`: closing signs follow it.
    `list_number`: the last number of the list that is under way.
    """
    before = normalize("NFC", before)
    if dots == 1:
        kind = _abbreviation(last_word(before))
        if kind is Abbreviation.OPEN or _is_list_letter(before):
            return Clue(Kind.OPEN)
        if _DATE.search(before) or _counts_on(_counted(before), list_number):
            return Clue(Kind.OPEN)
        if not closed:
            if kind is not None:
                return Clue(Kind[kind.name])
            if _NUMBER.search(before):
                return Clue(Kind.NUMBER, before)
            if _ROMAN.search(before):
                return Clue(Kind.ROMAN)
        if before[-1:].isspace():
            return Clue(Kind.ELLIPSIS, before)
    if closed:
        return Clue(Kind.QUOTATION, before)
    return Clue(Kind.ELLIPSIS, before) if dots == 2 else None


def _without_marks(text: str) -> str:
    end = len(text)
    while end and category(text[end - 1])[0] == "M":
        end -= 1
    return text[:end]


def ends_with_initial(text: str) -> bool:
    """Whether `text` ends with a letter that stands alone, as in `J` or `U.S`."""
    text = _without_marks(text)
    if not text or not text[-1].isalpha() or fills_a_word(text[-1]):
        return False
    text = _without_marks(text[:-1])
    if text and text[-1] in _WORD_JOINERS:
        text = _without_marks(text[:-1])
    return not text or not text[-1].isalnum()


def number_of_list(before: str, whole: bool, last: int | None) -> int | None:
    """The number that a dot and white space after `before` make the next of a list, or the first of one; None if none.
    `whole`: `before` is all that the sentence has.
    """
    before = normalize("NFC", before)
    number = _counted(before)
    if number is None:
        return None
    head = (before if whole else f"_{before}")[: -len(_COUNTED.findall(before)[-1])]
    begins = _LIST_START.search(head) or (number <= 1 and (_FIRST.search(head) or _after_a_word(head)))
    return number if begins or _counts_on(number, last) else None


def _abbreviation(word: str) -> Abbreviation | None:
    """What a word is short for, also in capitals."""
    return ABBREVIATIONS.get(word) or (ABBREVIATIONS.get(word.capitalize()) if word.isupper() else None)


def _begins_sentences(word: str) -> bool:
    word = normalize("NFC", word)
    return word in STARTERS or (len(word) > 1 and word.isupper() and word.capitalize() in STARTERS)


def _counted(before: str) -> int | None:
    """The number, or letter of a list, at the end of a text."""
    found = _COUNTED.search(before)
    if found is None:
        return None
    text = normalize("NFC", found[0])
    if text.isdecimal():
        return int(text)
    return LETTERS_OF_LISTS.index(text) + 1 if text in LETTERS_OF_LISTS else None


def _after_a_word(head: str) -> bool:
    """Whether a word of a language without capitals and a space stand before: its sentences hardly end in a number."""
    return head[-1:] == " " and fills_a_word(head[-2:-1] or " ")


def _counts_on(number: int | None, last: int | None) -> bool:
    return last is not None and number == last + 1


def last_word(text: str) -> str:
    """The letters at the end of `text`, in one alphabet; composed. "" where there are none."""
    end = len(text)
    start = end
    while start and (_is_mark(text[start - 1]) or (text[start - 1].isalpha() and not fills_a_word(text[start - 1]))):
        start -= 1
    if start == end:
        while start and (text[start - 1].isalpha() or _is_mark(text[start - 1])):
            start -= 1
    return normalize("NFC", text[start:end])


def is_of_the_word(ahead: str, sign: str) -> bool:
    """Whether `sign` goes on with what is looked at."""
    if not ahead:
        return sign.isalnum()
    if not ahead[0].isdecimal():
        return sign.isalpha() or _is_mark(sign)
    return is_hangul(sign) or (sign.isdecimal() and ahead[-1].isdecimal())


def follows_a_quotation(sign: str) -> bool:
    """Whether `sign`, directly after a quotation, may go on with the sentence around it."""
    return sign in PARTICLES


def japanese_goes_on(ahead: str, following: str | None) -> bool | None:
    """The same, as `Clue.goes_on`, for what begins with such a sign."""
    if any(ahead.startswith(word) for word in JAPANESE_STARTERS):
        return False
    undecided = any(word.startswith(ahead) for word in JAPANESE_STARTERS)
    return None if undecided and following is None else True


def fills_a_word(sign: str) -> bool:
    """Whether `sign` is of a script in which one sign can be a word and sentences need no space: Hangul, Han, kana."""
    return sign >= "\u1100" and (
        sign <= "\u11ff"
        or "\u2e80" <= sign <= "\ua4cf"
        or "\ua960" <= sign <= "\ua97f"
        or "가" <= sign <= "\ud7ff"
        or "\uf900" <= sign <= "\ufaff"
        or "\uff66" <= sign <= "\uffdc"
        or "\U00020000" <= sign <= "\U0003ffff"
    )


def is_hangul(sign: str) -> bool:
    """Whether `sign` is a Korean letter or syllable."""
    return "가" <= sign <= "\ud7ff" or "\u1100" <= sign <= "\u11ff" or "\u3131" <= sign <= "\u318e"


def _is_mark(sign: str) -> bool:
    return category(sign)[0] == "M"


def _is_list_letter(before: str) -> bool:
    if _LIST_NUMBER.search(before):
        return True
    found = _LIST_LETTER.search(before)
    return found is not None and normalize("NFC", found[1]) in LETTERS_OF_LISTS


# -- what the word behind the white space tells ------------------------------------------------------------------------


def _after_abbreviation(before: str, ahead: str, following: str | None) -> bool | None:
    if not ahead[0].isupper():
        return True
    return None if following is None else not _begins_sentences(ahead)


def _before_small_or_number(before: str, ahead: str, following: str | None) -> bool | None:
    return ahead[0].islower() or ahead[0].isdecimal()


def _before_number(before: str, ahead: str, following: str | None) -> bool | None:
    return ahead[0].isdecimal()


def _after_number(before: str, ahead: str, following: str | None) -> bool | None:
    number = _NUMBER.search(before)
    assert number is not None
    word = last_word(before[: number.start()].rstrip(" "))
    if ahead[0].islower() or word in NUMBERED:
        return True
    if ahead[0].isdecimal() and "." not in number[0]:
        digits = ahead.rstrip("".join(filter(is_hangul, ahead)))
        counted = normalize("NFC", ahead[len(digits) :])
        if following is None and len(counted) < 2:
            return None
        return _is_date(number[1], digits, counted, following)
    if not ahead[0].isupper():
        return False
    if following is None:
        return None
    next_word = normalize("NFC", ahead)
    return next_word in ORDINAL_NOUNS or (
        word in BEFORE_ORDINALS and len(number[1]) < 4 and not _begins_sentences(ahead)
    )


def _is_date(number: str, digits: str, counted: str, following: str | None) -> bool:
    """`2025. 1. 5.`, `10. 3.`, `5. 18`: two numbers that belong together. `counted`: what the second one counts."""
    if len(digits) > 2:
        return False
    if len(number) == 4:
        return not counted and following == "."
    return len(number) <= 2 and counted[:1] not in COUNTERS


def _before_small_letter(before: str, ahead: str, following: str | None) -> bool | None:
    return ahead[0].islower() and not fills_a_word(before[-1:] or " ")


def _after_quotation(before: str, ahead: str, following: str | None) -> bool | None:
    if not is_hangul(ahead[0]):
        return _before_small_letter(before, ahead, following)
    word = normalize("NFC", ahead)
    if following is None and len(word) < _SYLLABLES:
        return None
    return word.startswith(AFTER_QUOTATIONS) or word == "고"


_GO_ON = {Kind.EITHER: "([", Kind.SMALL: "([", Kind.ROMAN: "([", Kind.ELLIPSIS: ".．"}
"""Signs behind the white space that are no words, and with which the sentence goes on."""

_DECIDED = {
    Kind.EITHER: _after_abbreviation,
    Kind.SMALL: _before_small_or_number,
    Kind.NUMBERED: _before_number,
    Kind.NUMBER: _after_number,
    Kind.ROMAN: _before_small_letter,
    Kind.QUOTATION: _after_quotation,
    Kind.ELLIPSIS: _before_small_letter,
}
