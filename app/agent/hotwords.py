"""Finds the words that memories listen for while a reply grows; knows no clock and no socket. PURE.

Found is whatever stands in the text, inside longer words too (a Korean particle follows its noun directly). Words and
text are compared as NFC with case folded, so `STRASSE` is `Straße` and typed jamo are the syllable they make.

* A word is found with the token that completes it; a longer variant is never waited for. `["34", "34번가"]` and
  `["34번가", "34"]` both find `34` in `34번가`, as soon as that stands there. Top to bottom decides between variants,
  and between memories, whose words end at the same character.
* A memory is found once: after that, and when it was found earlier in the room, none of its variants is.
* A syllable that arrives as single jamo waits until it can take no more of them, or for `close`: U+1103, U+1169 and
  then U+11AB say `돈`, never `도`. No other sign shows that it is unfinished: `도` as one character, or the `e` of
  `cafe`, counts at once, and an accent in a later token takes nothing back. Within one token, accents are seen first.

The text is read once, by an Aho-Corasick automaton that goes on from token to token, so that neither the number of
words nor their length counts. Only a token that begins in the middle of a composed character reads again, up to four
times the longest word; so many tokens back is what a detector keeps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any
from unicodedata import combining, normalize

import ahocorasick

from app.spaces.models import Memory

MARKS = 32
"""Combining signs on one letter that are still put in order when a token divides them."""

SHORT = 16
"""Characters of a token that is worth remembering ready for the search."""

_MOST_PARTS = 4  # no composed character has more
_SECOND = frozenset(
    "\u09be\u09d7\u0b3e\u0b56\u0b57\u0bbe\u0bd7\u0cc2\u0cd5\u0cd6\u0d3e\u0d57\u0dcf\u0ddf\u102e\u1b35\U00011127\U0001133e"
    "\U00011357\U000114b0\U000114ba\U000114bd\U000115af\U00011930"
)
"""What has no combining class and is yet composed with the letter before it; Hangul apart."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A memory was found, by `word`, one of its variants as declared."""

    uid: str
    word: str


Shelf = tuple[tuple[int, Hit], ...]
"""What one word stands for: each hit with its rank, which counts all variants top to bottom."""


class HotwordBook:
    """The words of all memories of a space that listen. Immutable; every turn takes its own detector from it."""

    def __init__(self, memories: Iterable[Memory]) -> None:
        """Those without `hotword` are left out. The order counts: of words that end together the first is found."""
        listening = [memory for memory in memories if memory.hotword]
        self._size = len(listening)
        shelves: dict[str, list[tuple[int, Hit]]] = {}
        longest = rank = 0
        for memory in listening:
            for variant in memory.variants:
                word = _folded(variant)
                if word:
                    shelves.setdefault(_octets(word), []).append((rank, Hit(memory.uid, variant)))
                    longest = max(longest, len(word))
                    rank += 1
        self._uids = frozenset(hit.uid for shelf in shelves.values() for _, hit in shelf)
        self._reach = _MOST_PARTS * longest + MARKS
        self._automaton = ahocorasick.Automaton()
        for octets, shelf in shelves.items():
            self._automaton.add_word(octets, tuple(shelf))
        self._automaton.make_automaton()

    def __len__(self) -> int:
        """How many memories listen."""
        return self._size

    def detector(self, fired: AbstractSet[str] = frozenset()) -> HotwordDetector:
        """For one turn. `fired`: uids of the memories that earlier turns of the room have found."""
        left = len(self._uids) - len(self._uids & fired)
        return HotwordDetector(self._automaton.iter("") if left else None, self._reach, fired, left)


class HotwordDetector:
    """Feed tokens, get hits. What is found depends on the text alone where tokens divide no composed character."""

    __slots__ = ("_earlier", "_held", "_left", "_reach", "_recent", "_search", "fired")

    def __init__(self, search: Any, reach: int, fired: AbstractSet[str], left: int) -> None:
        """`search`: an iterator of the automaton, None where nothing is `left` to be found."""
        self.fired: dict[str, None] = {}
        """Uids found in this turn, in order."""
        self._search = search
        self._reach = reach  # characters of the text that a search from anew has to see
        self._earlier = fired
        self._left = left
        self._recent: deque[str] = deque(maxlen=reach)  # what was searched; none is empty, so it is enough
        self._held = ""  # jamo that may still become another syllable

    def feed(self, token: str) -> list[Hit]:
        """The hits that `token` completes, in the order in which they end in the text."""
        search = self._search
        if search is None or not token:
            return []
        octets = _octets_of_plain(token) if len(token) <= SHORT and not self._held else None
        if octets is None:
            return self._read(token)
        self._recent.append(token)
        search.set(octets, False)
        for end, shelf in search:
            return self._found(end, shelf)
        return []

    def close(self) -> list[Hit]:
        """The text is over: the hits in what still waited. Another text may follow."""
        held, self._held = self._held, ""
        return self._listen(held, False) if held else []

    def _read(self, token: str) -> list[Hit]:
        """Takes any token: one that goes on with a letter, or ends within one, is put together first."""
        again = False
        if self._held:
            token, self._held = self._held + token, ""
        elif _alters(token[0]):
            again = True
            token = "".join(self._recent)[-self._reach :] + token
            self._recent.clear()
        end = len(token) - _unfinished(token)
        token, self._held = token[:end], token[end:]
        return self._listen(token, again) if token else []

    def _listen(self, text: str, again: bool) -> list[Hit]:
        """Searches on in `text`; `again`: it begins with text that was searched before, so all found there is fired."""
        self._recent.append(text[-self._reach :])
        self._search.set(_octets(_folded(text)), again)
        for end, shelf in self._search:
            return self._found(end, shelf)
        return []

    def _found(self, end: int, shelf: Shelf) -> list[Hit]:
        """The hits among the words of `shelf`, which end at `end`, and those that the search still gives."""
        found: dict[str, tuple[int, int, Hit]] = {}
        for at, words in chain([(end, shelf)], self._search):
            for rank, hit in words:
                uid = hit.uid
                if uid in self.fired or uid in self._earlier:
                    continue
                known = found.get(uid)
                if known is None or (at, rank) < known[:2]:
                    found[uid] = (at, rank, hit)
        hits = [hit for _, _, hit in sorted(found.values(), key=lambda one: one[:2])]
        self.fired.update((hit.uid, None) for hit in hits)
        self._left -= len(hits)
        if not self._left:
            self._search = None
            self._recent.clear()
            self._held = ""
        return hits


@lru_cache(4096)
def _octets_of_plain(token: str) -> str | None:
    """The token as the automaton reads it; None where the tokens beside it may count. Texts repeat their tokens."""
    return None if _alters(token[0]) or _unfinished(token) else _octets(_folded(token))


def _folded(text: str) -> str:
    return normalize("NFC", text).casefold()


def _octets(text: str) -> str:
    """UTF-8, a character for each byte: the automaton tries the branches of a node one by one, so they must be few."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _alters(sign: str) -> bool:
    """Whether `sign` can change how the text before it is composed."""
    if sign < "\u0300":
        return False
    if "\u1161" <= sign <= "\u11c2":
        return sign <= "\u1175" or sign >= "\u11a8"
    return combining(sign) != 0 or sign in _SECOND


def _unfinished(text: str) -> int:
    """How many jamo at the end, 0 to 2, a next one may still join."""
    if not "\u1100" <= text[-1] <= "\u1175":
        return 0
    if text[-1] <= "\u1112":
        return 1
    return 2 if text[-1] >= "\u1161" and "\u1100" <= text[-2:-1] <= "\u1112" else 0
