"""Small words for rules: a breach in an exchange, and how values are shown in it. PURE."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from app.contract.checks.rules import Breach, Sights
from app.contract.chldo.frames import Exchange, Frame
from app.contract.chldo.reading import Evidence

Where = Exchange | str


def breach(where: Where, frame: Frame | None, expected: str, got: str) -> Breach:
    """What is wrong with a frame of an exchange, or with what came of it at all."""
    place = where if isinstance(where, str) else f"{where.place}, request {where.request.number}"
    return Breach(
        place if frame is None else f"{place}, frame {frame.number}", "" if frame is None else frame.raw, expected, got
    )


def shown(value: object) -> str:
    """A value as JSON writes it."""
    return json.dumps(value, ensure_ascii=False)


def listed(kinds: object) -> str:
    """Kinds of frames in a row, or that there are none."""
    found = [str(kind) for kind in kinds] if isinstance(kinds, list | tuple) else [str(kinds)]
    packed: list[str] = []
    for kind in found:
        name, _, count = packed[-1].partition(" x") if packed else ("", "", "")
        if packed and name == kind:
            packed[-1] = f"{kind} x{int(count or 1) + 1}"
        else:
            packed.append(kind)
    return " ".join(packed) or "nothing"


def bodies(seen: Evidence) -> Iterator[tuple[Exchange, Frame]]:
    """Every frame that is a JSON object, with its exchange."""
    for exchange in seen.exchanges:
        for frame in exchange.frames:
            if frame.body is not None:
                yield exchange, frame


def has_form(key: str, form: re.Pattern[str], told: str) -> Callable[[Evidence], Sights]:
    """All values of a key have this form; of a list each one."""

    def check(seen: Evidence) -> Sights:
        for exchange, frame in bodies(seen):
            if frame.body is None or key not in frame.body:
                continue
            values = frame.body[key] if isinstance(frame.body[key], list) else [frame.body[key]]
            odd = [value for value in values if not (isinstance(value, str) and form.fullmatch(value))]
            yield breach(exchange, frame, f"{key}: {told}", shown(odd[0])) if odd else None

    return check
