"""Cuts a stream of tokens into sentences while it arrives; knows no clock and no socket.

A sentence ends after a run of terminators, the closing signs attached to it, or at the end of the text. White space
after an end leads the next sentence; where no next sentence follows it stays with the one before.

A run ends nothing
* before its sentence has `minimum` characters, leading space and the run itself counted, closing signs not. Counted
  are the code points of the NFC form: decomposed Hangul counts as composed; a joined emoji counts its code points;
* when it is one dot after an initial: a letter standing alone (`J. Doe`, `U.S. army`, `e.g.`, `พ.ศ.`) of a script that
  does not write a word in one sign (so not Hangul, Han, kana), not joined to a word (`비타민C.` and `R&D.` end);
* when it is one dot after a list number at the start of a line, or without a space after any number (`1.사과`);
* inside a URL (from `scheme://`, `www.` or `name.tld/` to white space or a quote) unless white space follows the run;
* directly before a letter, a digit or `/\\@_=&%-` of a spaced script when the character before it is of one, too
  (`3.14`, `node.js`, `a@b.co`, `what?ever`); after Hangul, Han or kana only a dot before a small letter is such
  a link (`보고서.pdf`), anything else starts the next sentence without a space;
* directly after an opening bracket (`말(?)이 되는`);
* directly before a comma, colon or semicolon; nor where Hangul follows a closing quote (`"반갑습니다."라고 했다`);
* where the language says otherwise (`continuations.py`): after an abbreviation (`Dr. Kim`, `z. B. Äpfel`), in a date or
  after an ordinal (`2025. 1. 5.`, `am 3. Oktober`), after the number of a list, in a quotation that the sentence goes
  on behind (`"Are you sure?" and`, 「はい。」と);
* inside code: between backticks on one line, or three of them and the next three.

A sentence of more than `LONGEST` code points ends at the next run, wherever that is: code whose end never comes and a
URL without an end keep no voice back.

What is held back, at most: the one token in which the run ends, and the closing signs and white space after it, up
to `REACH` code points of each. Longer white space belongs to the sentence before it, more closing signs go out as
they come. Where the next word decides, it counts as white space.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from unicodedata import category, normalize

from app.agent.code_spans import CodeSpans
from app.agent.continuations import (
    LONGEST_WORD,
    Clue,
    Kind,
    clue_of,
    ends_with_initial,
    fills_a_word,
    follows_a_quotation,
    is_hangul,
    is_of_the_word,
    japanese_goes_on,
    number_of_list,
)

TERMINATORS = ".?!。？！…؟।．｡‥‼⁇⁈⁉۔॥։።။។"
REACH = 32
"""Code points of closing signs, and of white space, that are waited for after a run."""

LONGEST = 2_000
"""Code points of a sentence that anything holds together."""

_LINKABLE = frozenset(".?!…‥．")  # these also occur inside words, numbers and addresses
_DOTS = frozenset(".．")
_ELLIPSES = frozenset("…‥")
_QUOTES = frozenset("\"'＂＇")
_EMPHASIS = frozenset("*_`~～")
_OPENING = ("(", "[", "（", "［")
_CONTINUATION = frozenset(",;:，、；：،؛")
_LINKS = frozenset("/\\@_=&%-")
_URL_END = '"<>「」『』《》〈〉【】（）“”‘’，、；：'

_LOOKBACK = 32

_URL_SLASH = re.compile(r"(?:[A-Za-z]:/|\.[A-Za-z]{2,}(?::\d{1,5})?)\Z")
_WWW = re.compile(r"(?<![A-Za-z0-9])www\Z", re.IGNORECASE)
_LIST_NUMBER = re.compile(r"\n[ \t>*#-]{0,4}\d{1,3}\Z")

# Where the reading stands: in text, in a run of terminators, in the closing signs after it, in the white space after
# those, in white space too long to wait for, or in the word after it, which decides.
_TEXT, _RUN, _CLOSING, _SPACE, _LONG_SPACE, _WORD = range(6)


@dataclass(frozen=True, slots=True)
class Piece:
    """Text to send now."""

    text: str
    """Never empty."""
    sentence: int
    """0-based number of the sentence it belongs to."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A sentence is complete; follows its last Piece."""

    sentence: int
    text: str
    """The whole sentence, leading space kept: its Pieces joined."""
    terminator: str
    """The run it ends with, `.` or `?!`, before any closing signs and white space; empty when the text just stopped."""


class SentenceSplitter:
    """Feed tokens, get Pieces and Closed in order. The cuts depend on the text alone, never on how it was tokenised.

    The Piece with the full stop that ends a sentence comes in the same list as its Closed (unless more than REACH
    closing signs or spaces follow), so that a caller who must not send a final `.` can still take it out.
    """

    __slots__ = (
        "_ahead",
        "_back",
        "_before",
        "_calm",
        "_closed",
        "_closing_seen",
        "_clue",
        "_code",
        "_dots",
        "_held",
        "_languages",
        "_linkable",
        "_list",
        "_long",
        "_minimum",
        "_parts",
        "_pending",
        "_phase",
        "_sentence",
        "_signal",
        "_size",
        "_terminators",
        "_url",
        "_url_signal",
    )

    def __init__(self, minimum: int = 13, terminators: str = TERMINATORS, *, languages: bool = True) -> None:
        """`minimum`: characters a sentence must have before a terminator may end it. `languages`: whether the last two
        rules above, and `LONGEST`, count; without them a run ends a sentence wherever it may.
        """
        self._minimum = minimum
        self._languages = languages
        self._terminators = frozenset(terminators)
        signal, url_signal = _signals(terminators)
        self._signal = signal.search
        self._url_signal = url_signal.search
        self._sentence = 0
        self._parts: list[str] = []  # what was given out of the open sentence
        self._size = 0  # its code points
        self._held: list[str] = []  # tokens that wait for a decision
        self._phase = _TEXT
        self._url = False
        self._code = CodeSpans()
        self._list: int | None = None  # the last number of a list
        self._calm = True  # in text and in no URL: a token without a signal passes untouched
        self._before = ""  # last run: what stood before it,
        self._dots = 0  # is it one dot, or an ellipsis (2),
        self._linkable = False  # has it only signs that also occur inside words,
        self._pending = False  # may it end the sentence,
        self._closing_seen = False  # has a sign followed it that closes,
        self._closed = False  # or any that may,
        self._long = False  # is the sentence too long for anything but its end,
        self._clue: Clue | None = None  # what do the signs before it say,
        self._ahead = ""  # which word follows,
        self._back = 0  # and how many code points ago the sentence would end

    def feed(self, token: str) -> list[Piece | Closed]:
        """What can be said after `token`; empty while it waits for the next character."""
        if self._calm and self._signal(token) is None:
            if not token:
                return []
            self._parts.append(token)
            self._size += len(token)
            return [Piece(token, self._sentence)]
        return self._read(token) if token else []

    def close(self) -> list[Piece | Closed]:
        """The text (or one message of the model) is over; another may follow, and sentence numbers go on.

        White space alone closes nothing: it stays open and leads the next text.
        """
        out: list[Piece | Closed] = []
        if self._phase == _WORD and not self._word_goes_on(""):
            self._end(out, "", 0, 0)
        self._release(out)
        self._phase, self._url, self._calm = _TEXT, False, True
        self._code.end()
        self._list = None
        if any(not part.isspace() for part in self._parts):
            out.append(self._finish())
        return out

    def _read(self, token: str) -> list[Piece | Closed]:
        out: list[Piece | Closed] = []
        given = 0  # token[:given] has been given out
        at, end = 0, len(token)
        while at < end:
            if self._phase == _TEXT:
                at = self._read_text(token, given, at)
                continue
            sign = token[at]
            if self._phase == _WORD:
                taken = self._take_into_word(sign)
                decided = self._word_goes_on(None if taken else sign)
                at += taken
                if decided is not None:
                    given = self._decide(out, token, given, at, goes_on=decided)
                continue
            if self._phase == _RUN:
                if sign in self._terminators:
                    self._release(out)
                    self._extend_run(sign)
                    at += 1
                    continue
                self._pending = self._may_end(token, given, at)
                self._see_clue(sign)
                if not self._pending and self._dots != 1:
                    self._phase = _TEXT  # nothing to decide, so nothing to hold
                    continue
                self._closing_seen = self._closed = False
                self._back, self._phase = 0, _CLOSING
            if self._waits(sign):
                if sign == "`":
                    self._see_backtick(token, given, at)
                at += 1
                continue
            if self._pending and self._asks(sign):
                self._ahead, self._phase = "", _WORD
                continue
            goes_on = not self._pending or (self._phase == _CLOSING and self._goes_on(sign))
            given = self._decide(out, token, given, at, goes_on=goes_on)
        rest = token[given:]
        if rest:
            self._held.append(rest)
        if self._phase == _TEXT or self._phase == _LONG_SPACE:
            self._release(out)
        elif self._phase == _CLOSING:
            self._release_long_closing(out)
        self._calm = self._phase == _TEXT and not self._url
        return out

    def _decide(self, out: list[Piece | Closed], token: str, given: int, at: int, *, goes_on: bool) -> int:
        """Ends the sentence after the run, or goes on with it; returns how much of the token is given out."""
        self._phase = _TEXT
        if goes_on:
            self._release(out)
            return given
        return self._end(out, token, given, at)

    def _read_text(self, token: str, given: int, at: int) -> int:
        """Reads on to the next sign that changes anything and past it."""
        found = (self._url_signal if self._url else self._signal)(token, at)
        if found is None:
            return len(token)
        at = found.start()
        sign = token[at]
        if sign == "`":
            self._url = False
            self._see_backtick(token, given, at)
        elif sign in self._terminators:
            self._before = self._look_back(token, given, at)
            self._dots = 1 if sign in _DOTS else 2 if sign in _ELLIPSES else 0
            self._linkable = sign in _LINKABLE
            self._phase = _RUN
            if not self._linkable:
                self._url = False
            elif sign == "." and _WWW.search(self._before):
                self._url = True
        elif self._url:
            self._url = False
        elif _URL_SLASH.search(self._look_back(token, given, at)):
            self._url = True
        return at + 1

    def _see_backtick(self, token: str, given: int, at: int) -> None:
        self._code.see(self._place(given, at), lambda length: self._look_back(token, given, at, length))

    def _place(self, given: int, at: int) -> int:
        """Where token[at] is in the open sentence."""
        return self._size + sum(map(len, self._held)) + at - given

    def _extend_run(self, sign: str) -> None:
        self._dots = 2 if self._dots and (sign in _DOTS or sign in _ELLIPSES) else 0
        if sign not in _LINKABLE:
            self._linkable = self._url = False

    def _waits(self, sign: str) -> bool:
        """Whether `sign` after a run leaves open what follows it, a new run excepted."""
        if sign.isspace():
            self._url = False
            if self._phase == _CLOSING:
                self._phase, self._back = _SPACE, 0
            if self._phase == _SPACE:
                self._back += 1
                if self._back > REACH:
                    self._phase, self._back = _LONG_SPACE, 0
            return True
        if self._phase != _CLOSING or sign in self._terminators:
            return False
        kind = category(sign)
        if not _closes(sign, kind):
            return False
        self._closed = self._closed or kind[0] != "M"
        if sign in _EMPHASIS or kind == "Pi":
            # These may as well open what follows: they close only before a space, a closing sign or the end.
            self._back = self._back + 1 if self._back < REACH else 0
        else:
            self._back = 0
        if sign in _URL_END:
            self._url = False
        if kind != "Pi" and kind[0] != "M":
            self._closing_seen = True
        return True

    def _may_end(self, token: str, given: int, at: int) -> bool:
        """Whether the run that ends before token[at] can end the sentence, as far as what precedes it says."""
        size = self._place(given, at)
        self._long = self._languages and size > LONGEST
        if size < self._minimum:
            return False
        if size < 4 * self._minimum:  # no composed character has more than 4 parts
            text = "".join((*self._parts, *self._held, token[given:at]))
            if len(normalize("NFC", text)) < self._minimum:
                return False
        if self._long:
            return True
        if self._before[-1:] in _OPENING:
            return False
        if self._languages and self._code.holds(
            size, lambda length: self._look_back(token, given, at, length), token[at : at + 1]
        ):
            return False
        return not (self._dots == 1 and (ends_with_initial(self._before) or _LIST_NUMBER.search(self._before)))

    def _see_clue(self, sign: str) -> None:
        """Sees what the run may be part of, and whether a list goes on with it; `sign` follows it."""
        self._clue = None
        if not self._languages or self._long:
            return
        if self._pending:
            self._clue = clue_of(self._before, self._dots, closed=False, list_number=self._list)
        if self._dots == 1 and sign.isspace():
            number = number_of_list(self._before, len(self._before) < _LOOKBACK, self._list)
            if number is not None:
                self._list, self._clue = number, Clue(Kind.OPEN)

    def _asks(self, sign: str) -> bool:
        """Whether the word that begins with `sign` has to be looked at: behind white space, or a quotation."""
        if not self._languages or self._long or self._phase == _LONG_SPACE:
            return False
        if self._phase == _CLOSING:
            return self._closing_seen and follows_a_quotation(sign)
        if self._closed and (self._clue is None or self._clue.kind is not Kind.OPEN):
            self._clue = clue_of(self._before, 0, closed=True, list_number=None)
        return self._clue is not None and self._back <= REACH - LONGEST_WORD

    def _take_into_word(self, sign: str) -> bool:
        """Whether `sign` belongs to the word that decides."""
        if len(self._ahead) == LONGEST_WORD or not is_of_the_word(self._ahead, sign):
            return False
        self._ahead += sign
        self._back += 1
        return True

    def _word_goes_on(self, following: str | None) -> bool | None:
        """Whether the sentence goes on; None while that hangs on what is not known yet."""
        if self._back == len(self._ahead):  # there is no white space
            return japanese_goes_on(self._ahead, following)
        return self._clue is not None and self._clue.goes_on(self._ahead, following)

    def _goes_on(self, sign: str) -> bool:
        """Whether the sentence goes on because `sign` follows its run, or the closing signs, without a space."""
        if sign in self._terminators or sign in _CONTINUATION:
            return True
        if self._long:
            return False
        if self._closing_seen and is_hangul(sign):
            return True
        if self._clue is not None and not self._closed and self._clue.goes_on_directly(sign):
            return True
        if self._languages and self._dots == 2 and self._before[-1:].isdecimal() and sign.isalpha():
            return True
        if not self._linkable:
            return False
        if self._url:
            return True
        before = self._before[-1:] or " "
        if fills_a_word(before):
            return self._dots == 1 and sign.islower()
        if fills_a_word(sign):
            return self._dots == 1 and before.isdecimal()
        return sign.isalnum() or sign in _LINKS

    def _end(self, out: list[Piece | Closed], token: str, given: int, at: int) -> int:
        """Closes the sentence `_back` code points before token[at]; returns how much of the token is given out."""
        cut = at - self._back
        if cut >= given:
            self._release(out)
            if cut > given:
                self._give(out, token[given:cut])
            out.append(self._finish())
            return cut
        waiting, self._held = self._held, []
        length = sum(map(len, waiting)) + cut - given  # of what waits, this much ends the sentence
        for part in waiting:
            if length > 0:
                self._give(out, part[:length])
            if 0 <= length < len(part):
                out.append(self._finish())
            if length < len(part):
                self._give(out, part[max(length, 0) :])
            length -= len(part)
        return given

    def _release_long_closing(self, out: list[Piece | Closed]) -> None:
        """Gives out what surely belongs to this sentence once too many closing signs wait."""
        waiting = sum(map(len, self._held))
        while len(self._held) > 1 and waiting - len(self._held[0]) > REACH:
            waiting -= len(self._held[0])
            self._give(out, self._held.pop(0))

    def _release(self, out: list[Piece | Closed]) -> None:
        for part in self._held:
            self._give(out, part)
        self._held.clear()

    def _give(self, out: list[Piece | Closed], text: str) -> None:
        self._parts.append(text)
        self._size += len(text)
        out.append(Piece(text, self._sentence))

    def _finish(self) -> Closed:
        text = "".join(self._parts)
        self._code.pass_by(self._size)
        closed = Closed(self._sentence, text, self._run_at_end(text))
        self._parts.clear()
        self._size = 0
        self._sentence += 1
        return closed

    def _run_at_end(self, text: str) -> str:
        end = len(text.rstrip())
        while end and _closes(text[end - 1], category(text[end - 1])):
            end -= 1
        start = end
        while start and text[start - 1] in self._terminators:
            start -= 1
        return text[start:end]

    def _look_back(self, token: str, given: int, at: int, length: int = _LOOKBACK) -> str:
        """The last code points of the open sentence before token[at], so many at most."""
        tail = token[max(given, at - length) : at]
        if len(tail) < length:
            for part in chain(reversed(self._held), reversed(self._parts)):
                tail = part[len(tail) - length :] + tail
                if len(tail) == length:
                    break
        return tail


@lru_cache(maxsize=16)
def _signals(terminators: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What to stop at: in text, and inside a URL."""
    signs = re.escape(terminators)
    return re.compile(f"[{signs}/`]"), re.compile(f"[{signs}`{re.escape(_URL_END)}\\s]")


def _closes(sign: str, kind: str) -> bool:
    """Whether `sign`, of Unicode category `kind`, belongs to the run of terminators it follows."""
    return kind in ("Pe", "Pf", "Pi") or kind[0] == "M" or sign in _QUOTES or sign in _EMPHASIS
