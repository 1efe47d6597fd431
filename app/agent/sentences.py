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
* directly before a comma, colon or semicolon; nor where Hangul follows a closing quote (`"반갑습니다."라고 했다`).

What is held back, at most: the one token in which the run ends, and the closing signs and white space after it, up
to `REACH` code points of each. Longer white space belongs to the sentence before it, more closing signs go out as
they come.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from unicodedata import category, normalize

TERMINATORS = ".?!。？！…؟।．｡‥‼⁇⁈⁉۔॥։።။។"
REACH = 32
"""Code points of closing signs, and of white space, that are waited for after a run."""

_LINKABLE = frozenset(".?!…‥．")  # these also occur inside words, numbers and addresses
_DOTS = frozenset(".．")
_QUOTES = frozenset("\"'＂＇")
_EMPHASIS = frozenset("*_`~～")
_OPENING = ("(", "[", "（", "［")
_CONTINUATION = frozenset(",;:，、；：،؛")
_LINKS = frozenset("/\\@_=&%-")
_WORD_JOINERS = frozenset("'’-‐/&+_@")
_URL_END = '"<>「」『』《》〈〉【】（）“”‘’，、；：'

_LOOKBACK = 24
_URL_SLASH = re.compile(r"(?:[A-Za-z]:/|\.[A-Za-z]{2,}(?::\d{1,5})?)\Z")
_WWW = re.compile(r"(?<![A-Za-z0-9])www\Z", re.IGNORECASE)
_LIST_NUMBER = re.compile(r"\n[ \t>*#-]{0,4}\d{1,3}\Z")

# Where the reading stands: in text, in a run of terminators, in the closing signs after it, in the white space after
# those, or in white space too long to wait for.
_TEXT, _RUN, _CLOSING, _SPACE, _LONG_SPACE = range(5)


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
        "_back",
        "_before",
        "_calm",
        "_closing_seen",
        "_dot",
        "_held",
        "_linkable",
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

    def __init__(self, minimum: int = 13, terminators: str = TERMINATORS) -> None:
        """`minimum`: characters a sentence must have before a terminator may end it."""
        self._minimum = minimum
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
        self._calm = True  # in text and in no URL: a token without a signal passes untouched
        self._before = ""  # last run: what stood before it,
        self._dot = False  # is it one dot,
        self._linkable = False  # has it only signs that also occur inside words,
        self._pending = False  # may it end the sentence,
        self._closing_seen = False  # has a closing sign followed it,
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
        self._release(out)
        self._phase, self._url, self._calm = _TEXT, False, True
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
            if self._phase == _RUN:
                if sign in self._terminators:
                    self._release(out)
                    self._extend_run(sign)
                    at += 1
                    continue
                self._pending = self._may_end(token, given, at)
                if not self._pending and not self._dot:
                    self._phase = _TEXT  # nothing to decide, so nothing to hold
                    continue
                self._closing_seen, self._back, self._phase = False, 0, _CLOSING
            if self._waits(sign):
                at += 1
                continue
            if self._pending and (self._phase != _CLOSING or not self._goes_on(sign)):
                given = self._end(out, token, given, at)
            else:
                self._release(out)
            self._phase = _TEXT
        rest = token[given:]
        if rest:
            self._held.append(rest)
        if self._phase == _TEXT or self._phase == _LONG_SPACE:
            self._release(out)
        elif self._phase == _CLOSING:
            self._release_long_closing(out)
        self._calm = self._phase == _TEXT and not self._url
        return out

    def _read_text(self, token: str, given: int, at: int) -> int:
        """Reads on to the next sign that changes anything and past it."""
        found = (self._url_signal if self._url else self._signal)(token, at)
        if found is None:
            return len(token)
        at = found.start()
        sign = token[at]
        if sign in self._terminators:
            self._before = self._look_back(token, given, at)
            self._dot = sign in _DOTS
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

    def _extend_run(self, sign: str) -> None:
        self._dot = False
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
        size = self._size + sum(map(len, self._held)) + at - given
        if size < self._minimum:
            return False
        if size < 4 * self._minimum:  # no composed character has more than 4 parts
            text = "".join((*self._parts, *self._held, token[given:at]))
            if len(normalize("NFC", text)) < self._minimum:
                return False
        if self._before[-1:] in _OPENING:
            return False
        return not (self._dot and (_ends_with_initial(self._before) or _LIST_NUMBER.search(self._before)))

    def _goes_on(self, sign: str) -> bool:
        """Whether the sentence goes on because `sign` follows its run, or the closing signs, without a space."""
        if sign in self._terminators or sign in _CONTINUATION:
            return True
        if self._closing_seen and _is_hangul(sign):
            return True
        if not self._linkable:
            return False
        if self._url:
            return True
        before = self._before[-1:] or " "
        if _fills_a_word(before):
            return self._dot and sign.islower()
        if _fills_a_word(sign):
            return self._dot and before.isdecimal()
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

    def _look_back(self, token: str, given: int, at: int) -> str:
        """The last code points of the open sentence before token[at], _LOOKBACK at most."""
        tail = token[max(given, at - _LOOKBACK) : at]
        if len(tail) < _LOOKBACK:
            for part in chain(reversed(self._held), reversed(self._parts)):
                tail = part[len(tail) - _LOOKBACK :] + tail
                if len(tail) == _LOOKBACK:
                    break
        return tail


@lru_cache(maxsize=16)
def _signals(terminators: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What to stop at: in text, and inside a URL."""
    signs = re.escape(terminators)
    return re.compile(f"[{signs}/]"), re.compile(f"[{signs}{re.escape(_URL_END)}\\s]")


def _closes(sign: str, kind: str) -> bool:
    """Whether `sign`, of Unicode category `kind`, belongs to the run of terminators it follows."""
    return kind in ("Pe", "Pf", "Pi") or kind[0] == "M" or sign in _QUOTES or sign in _EMPHASIS


def _without_marks(text: str) -> str:
    end = len(text)
    while end and category(text[end - 1])[0] == "M":
        end -= 1
    return text[:end]


def _ends_with_initial(text: str) -> bool:
    """Whether `text` ends with a letter that stands alone, as in `J` or `U.S`."""
    text = _without_marks(text)
    if not text or not text[-1].isalpha() or _fills_a_word(text[-1]):
        return False
    text = _without_marks(text[:-1])
    if text and text[-1] in _WORD_JOINERS:
        text = _without_marks(text[:-1])
    return not text or not text[-1].isalnum()


def _is_hangul(sign: str) -> bool:
    return "가" <= sign <= "\ud7ff" or "\u1100" <= sign <= "\u11ff" or "\u3131" <= sign <= "\u318e"


def _fills_a_word(sign: str) -> bool:
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
