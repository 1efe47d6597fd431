"""A reply put together again: its sentences, as the frames divide it and as the rules of the wire would. PURE.

The frames divide it by `sent_uid`, in 2024-10-02 (whose tokens have none) by `voice_ready`. What a revision does to a
sentence on the way is undone before the two are compared: 2024-10-06 leaves the "." out, 2024-10-07 adds a `" "`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from unicodedata import normalize

from app.agent.sentences import LONGEST, TERMINATORS, Closed, SentenceSplitter
from app.contract.chldo.frames import Exchange, Frame
from app.contract.chldo.words import R5, R6, R7, Revision

MINIMUM = 13
"""Characters of a sentence before a terminator may end it (spec 0.6)."""

_STRIDE = 128
"""Characters that are read at a time."""

_CLOSING = "\"'”’»)]」』》〉】）*_`~ \n\t"


@dataclass(slots=True)
class Sentence:
    """Frames of a reply that belong together. `uid`: None where tokens carry none."""

    uid: object
    tokens: list[Frame] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The tokens joined, as sent."""
        return "".join(frame.text for frame in self.tokens)

    @property
    def padded(self) -> bool:
        """Whether its last token is a `" "` of its own."""
        return len(self.tokens) > 1 and self.tokens[-1].text == " "

    def spoken(self, revision: Revision) -> str:
        """The text as voice_ready has it: without the `" "` that 2024-10-07 adds."""
        if revision.id == R7 and self.padded:
            return "".join(frame.text for frame in self.tokens[:-1])
        return self.text


def sentences_of(turn: Exchange, revision: Revision) -> list[Sentence]:
    """The reply of a turn as its frames divide it; the whole of it where nothing does."""
    found: list[Sentence] = []
    if revision.id == R5:
        ended = True
        for frame in turn.frames:
            if frame.kind in ("token", "whole"):
                if ended:
                    found.append(Sentence(None))
                found[-1].tokens.append(frame)
                ended = False
            elif frame.kind == "voice_ready":
                ended = True
        return found
    for frame in turn.tokens:
        uid = frame.get("sent_uid")
        if not found or found[-1].uid != uid:
            found.append(Sentence(uid))
        found[-1].tokens.append(frame)
    return found


def said(sentences: list[Sentence], revision: Revision) -> list[str]:
    """The sentences as the model said them."""
    texts = [sentence.spoken(revision) for sentence in sentences]
    if revision.id == R6:
        return [text if ends(text) else _with_stop(text) for text in texts[:-1]] + texts[-1:]
    return texts


def ends(text: str) -> bool:
    """Whether a text ends with a terminator, closing signs and white space apart."""
    return text.rstrip(_CLOSING)[-1:] in TERMINATORS if text.strip(_CLOSING) else False


def cut(text: str) -> list[str]:
    """A text as the emulator divides it."""
    splitter = SentenceSplitter(MINIMUM)
    return [piece.text for piece in (*splitter.feed(text), *splitter.close()) if isinstance(piece, Closed)]


def misdivided(parts: Sequence[str]) -> int | None:
    """Which of the sentences of a reply, counted from 0, does not end where the rules of the wire want it to.

    They leave open what a language says of abbreviations, dates and quotations: where the emulator holds a sentence
    together for the sake of that, a server may do so, too, or may end it.
    """
    text = "".join(parts)
    start = 0
    for number, part in enumerate(parts):
        end = start + len(part)
        latest = _first_end(text, start, MINIMUM, languages=True)
        late = end > latest and latest - start <= LONGEST
        if late or (end != latest and not _may_end_with(text, start, part)):
            return number
        start = end
    return None


def _may_end_with(text: str, start: int, part: str) -> bool:
    """Whether a run of terminators at the end of `part` can end a sentence that begins at `start`."""
    counted = len(normalize("NFC", part.rstrip(_CLOSING)))
    return _first_end(text, start, max(counted, MINIMUM), languages=False) == start + len(part)


def _first_end(text: str, start: int, minimum: int, *, languages: bool) -> int:
    """Where the sentence that begins at `start` ends."""
    splitter = SentenceSplitter(minimum, languages=languages)
    for at in range(start, len(text), _STRIDE):
        for piece in splitter.feed(text[at : at + _STRIDE]):
            if isinstance(piece, Closed):
                return start + len(piece.text)
    ends = [piece for piece in splitter.close() if isinstance(piece, Closed)]
    return start + len(ends[0].text) if ends else len(text)


def _with_stop(text: str) -> str:
    end = len(text.rstrip())
    return f"{text[:end]}.{text[end:]}"
