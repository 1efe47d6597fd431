"""Rules on literal texts. PURE."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from app.contract.checks.rules import Rule, Sights
from app.contract.chldo.reading import Evidence
from app.contract.chldo.rules.sights import breach, shown
from app.contract.chldo.words import (
    CHOICES,
    EOM,
    HISTORY,
    LLM_ERROR,
    MEMORY_R2,
    MEMORY_R6,
    NO_CREDIT,
    R2,
    R5,
    R6,
    R9,
    RECEIVED,
    SOM,
    THINK,
)


def _plain(text: object) -> str:
    """A text with its counts at 0, so that the documents' sample stands for all."""
    return re.sub(r"총 \d+개", "총 0개", text) if isinstance(text, str) else shown(text)


def _says(kinds: Sequence[str], texts: Callable[[Evidence], Sequence[str]]) -> Callable[[Evidence], Sights]:
    """Frames of these kinds say these texts, each no more than once in a turn and in their order."""

    def check(seen: Evidence) -> Sights:
        documented = list(texts(seen))
        for turn in seen.clear_turns:
            left = list(documented)
            for frame in turn.of(*kinds):
                said = _plain(frame.get("msg"))
                if said in left:
                    del left[: left.index(said) + 1]
                    yield None
                else:
                    expected = " or ".join(shown(text) for text in left or documented)
                    yield breach(turn, frame, f"msg {expected}", shown(frame.get("msg")))

    return check


def markers(seen: Evidence) -> Sights:
    for exchange in (*seen.turns, *seen.greetings):
        for kind, expected in (("START", SOM), ("END", EOM)):
            for frame in exchange.of(kind):
                got = frame.get("msg")
                yield None if got == expected else breach(exchange, frame, f"msg {shown(expected)}", shown(got))


def failures(seen: Evidence) -> Sights:
    """A want of credit is told in the documented words; a model's own failure as its client words it."""
    for turn in seen.turns:
        for frame in turn.of("error"):
            msg = str(frame.get("msg"))
            known = NO_CREDIT.fullmatch(msg) or LLM_ERROR.fullmatch(msg)
            if known:
                yield None
            elif "failing" in turn.request.marks or "크레딧" in msg or msg.startswith("Error code"):
                expected = "현재 크레딧은 N 입니다. 크레딧이 100원 이상 필요합니다. or Error code: N - …"
                yield breach(turn, frame, expected, shown(msg))


def _memory(seen: Evidence) -> Sequence[str]:
    if seen.revision.rooms:
        return MEMORY_R6
    return MEMORY_R2[:2] if seen.revision.id == R5 else MEMORY_R2


_SECTION = "spec 5, literal texts"

RULES: tuple[Rule[Evidence], ...] = (
    Rule(
        "texts.markers", "START says <SOM> and END says <EOM>.", "spec 0.1", markers, "neither START nor END came", R2
    ),
    Rule(
        "texts.received",
        f"received says {RECEIVED[0]}",
        _SECTION,
        _says(["received"], lambda seen: RECEIVED),
        "no received came",
        R2,
        R5,
    ),
    Rule(
        "texts.history",
        f"history says {HISTORY[0]} and then {HISTORY[1]}",
        _SECTION,
        _says(["history"], lambda seen: HISTORY),
        "no history came",
        R6,
    ),
    Rule(
        "texts.memory",
        "memory says its documented texts in order; from 2024-10-06 on the second counts the memories that listen.",
        _SECTION,
        _says(["memory"], _memory),
        "no memory came",
        R2,
    ),
    Rule(
        "texts.think",
        f"think says {THINK[0]} and then {THINK[1]}",
        _SECTION,
        _says(["think"], lambda seen: THINK),
        "no think came",
        R2,
    ),
    Rule(
        "texts.choices",
        f"choices says {CHOICES[0]} and then {CHOICES[1]}",
        _SECTION,
        _says(["choices", "choices_end"], lambda seen: CHOICES),
        "no choices came",
        R9,
    ),
    Rule(
        "texts.failure",
        "A turn without credit fails with the documented text, naming the balance; a model's failure is told as "
        "`Error code: … - …`.",
        "spec 7, in-flow errors",
        failures,
        "no turn failed in one of these ways (--failing-key names a key whose turns do)",
        R2,
    ),
)
