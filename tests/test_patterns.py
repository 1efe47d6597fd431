"""No regular expression of the program takes more than linear time: strangers send the texts that they search.

Each is tried on its own worst inputs, made of what it is made of, at n and at 4n characters: four times the text may
take about four times as long, not sixteen.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator
from re import _constants, _parser  # type: ignore[attr-defined, unused-ignore]
from typing import Any

import pytest

import app
from app.emulation.placeholders import Placeholders
from app.redaction import SecretFinder, redact

SMALL = 1_500
WORTH_A_LOOK = 0.003
"""Seconds below which a search of 4n is quick enough, whatever the ratio; clocks are no finer under load."""

TOO_LONG = 0.05
"""Seconds that the shorter text may take."""

RATIO = 9.0
ATOMS = (
    *(
        "a",
        "0",
        "1a",
        " ",
        "\t",
        "\n",
        "\\",
        '"',
        "'",
        "-",
        "_",
        ".",
        "=",
        "/",
        ":",
        "@",
        "&",
        "?",
        "{",
        "{{",
        "<",
        "가",
        "。",
    ),
    *("eyJ", "eyJa-", "eyJaaaa.", "sk-", "sk-a-", "org_a", "hsk_", "Bearer ", "bearer a", "authorization: ", "token="),
    *("://", "a://", "a:a@", "http://a", '"token":"', '\\"token\\":', "\\\\", "\\u0026a=", "at the ", "to my ", "a b "),
    *(
        "\\u",
        "\\ud83d",
        "Error code: 400 - ",
        "2024-01-01T00:00:00",
        "1.",
        "1-",
        "a.a",
        "a@",
        "=a&",
        "key",
        "_key",
        "a a",
    ),
)


AT_THE_BEGINNING = (
    *("app.chat.address._VERSIONED", "app.contract.chldo.words.VOICE_URL", "app.voice.wording._BREAK"),
    *("app.emulation.documents._FRACTION", "app.emulation.documents._JSON_FRACTION"),
)
"""Those that are only ever asked about a text from its beginning (`match`, `fullmatch`)."""


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Every compiled pattern that a module or its tables hold, and those that objects make for themselves."""
    for info in pkgutil.walk_packages(app.__path__, "app."):
        if "migrations" in info.name or info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            yield from _held(f"{info.name}.{name}", value)
    for made in (SecretFinder(("own_secret",)), Placeholders(("own_secret",))):
        for name, value in vars(made).items():
            yield from _held(f"{type(made).__name__}.{name}", value)


def _held(name: str, value: Any, deep: int = 3) -> Iterator[tuple[str, re.Pattern[str]]]:
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, str):
            yield name, value
    elif deep and isinstance(value, tuple | list | frozenset | set):
        for item in value:
            yield from _held(name, item, deep - 1)
    elif deep and isinstance(value, dict):
        for item in value.values():
            yield from _held(name, item, deep - 1)


FOUND = dict({(one.pattern, one.flags): (name, one) for name, one in patterns()}.values())


def literals(pattern: re.Pattern[str]) -> list[str]:
    """The runs of plain characters in a pattern: what its worst inputs are made of."""
    found, run = [], ""
    for operation, argument in _parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE):
        if operation is _constants.LITERAL:
            run += chr(argument)
        else:
            found.append(run)
            run = ""
    return [one for one in dict.fromkeys((*found, run)) if one][:4]


def seconds(search: Any, text: str) -> float:
    """The thread's own time for one search."""
    began = time.thread_time()
    search(text)
    return time.thread_time() - began


def judge(search: Any, beginning: str, atom: str) -> str | None:
    """What is wrong with a search of `beginning` and many atoms; None if nothing is."""
    short, long = (beginning + atom * (size // len(atom)) + "\x00" for size in (SMALL, 4 * SMALL))
    first = seconds(search, short)
    if first > TOO_LONG:
        return f"{beginning!r} + {atom!r} * n: {first:.2f} s for {SMALL} characters"
    second = seconds(search, long)
    if second < WORTH_A_LOOK:
        return None
    # Measured again, the better of two: another thread may have had the processor's caches.
    ratio = min(second, seconds(search, long)) / max(min(first, seconds(search, short)), 1e-6)
    return f"{beginning!r} + {atom!r} * n: {ratio:.1f} times as long" if ratio > RATIO else None


@pytest.mark.slow
@pytest.mark.parametrize("name", FOUND)
def test_a_pattern_takes_linear_time(name: str) -> None:
    pattern = FOUND[name]
    own = literals(pattern)

    def everywhere(text: str) -> None:
        for _ in pattern.finditer(text):
            pass

    beginnings = ("", *own)
    wrong = [
        told
        for beginning in beginnings
        for atom in (*ATOMS, *own, *(f"{one}a" for one in own), *(f"{one} " for one in own))
        for search in ((everywhere, pattern.fullmatch) if name not in AT_THE_BEGINNING else (pattern.match,))
        if (told := judge(search, beginning, atom))
    ]
    assert not wrong


@pytest.mark.parametrize("atom", [*ATOMS, '"a_key":"\\', "?token=a", "'token': '", "api_key=a&"])
def test_redaction_takes_linear_time(atom: str) -> None:
    hiding = Placeholders()
    wrong = [
        told
        for search in (redact, hiding.text)
        for beginning in ("", "token ", '"token":"', "authorization bearer @ :/ = & ?")
        if (told := judge(search, beginning, atom))
    ]
    assert not wrong
