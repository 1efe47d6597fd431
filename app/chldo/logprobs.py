"""Log probabilities for the tokens of a script. PURE.

A script considers no other tokens. So that what clients do with them can be tried, each token is likely, always just as
much, and the others that are told beside it are made up.
"""

from __future__ import annotations

from math import log
from typing import Any
from zlib import crc32

Json = dict[str, Any]

_OTHERS = (
    *(" the", ",", ".", " and", " to", " of", "!", " a", " in", " is", " it", " for"),
    *("이", "는", " 그", "요", "?", "가", " 있", "을", "다"),
)


def logprob_of(token: str, top: int) -> Json:
    """What is told of a token: its log probability, and the `top` likeliest tokens of its place, itself among them."""
    probability = 0.6 + crc32(token.encode("utf-8", "replace")) % 400 / 1000
    others = [other for other in _OTHERS if other != token][: max(0, top - 1)]
    told = [_entry(other, (1 - probability) / 2 ** (number + 1)) for number, other in enumerate(others)]
    first = _entry(token, probability)
    return {**first, "top_logprobs": [first, *told][:top]}


def _entry(token: str, probability: float) -> Json:
    return {"token": token, "logprob": round(log(probability), 6), "bytes": list(token.encode("utf-8", "replace"))}
