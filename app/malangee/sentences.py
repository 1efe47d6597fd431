"""Text as the sentences in which it is spoken: a change of voice and an interruption take effect between two. PURE."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable

from app.agent.sentences import Closed, Piece, SentenceSplitter

SHORTEST = 8
"""Characters of a sentence that is spoken alone."""


def splitter() -> SentenceSplitter:
    """What cuts a text into spoken sentences while it arrives."""
    return SentenceSplitter(SHORTEST)


def closed(pieces: Iterable[Piece | Closed]) -> list[str]:
    """The sentences that are complete, without white space around them."""
    return [text for piece in pieces if isinstance(piece, Closed) and (text := piece.text.strip())]


async def spoken(text: str) -> AsyncGenerator[str, None]:
    """The sentences of a text that is known whole."""
    cutter = splitter()
    for sentence in closed([*cutter.feed(text), *cutter.close()]):
        yield sentence
