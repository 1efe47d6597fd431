"""Texts for a JSON Schema of the type string: words, or what `format` and `pattern` ask for. PURE."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from app.emulation.samples.draws import Draws, UnusableSchema
from app.emulation.samples.merging import PATTERNS
from app.emulation.samples.patterns import MAX_LENGTH, UnknownPattern, text_of

WORDS = (
    *(
        "amber",
        "anchor",
        "autumn",
        "basket",
        "bridge",
        "candle",
        "cedar",
        "clover",
        "copper",
        "corner",
        "dawn",
        "ember",
    ),
    *("fern", "field", "garden", "glass", "harbor", "hazel", "island", "ivory", "lantern", "lemon", "maple", "meadow"),
    *(
        "mint",
        "mirror",
        "morning",
        "ocean",
        "olive",
        "orchard",
        "paper",
        "pebble",
        "planet",
        "quiet",
        "river",
        "saffron",
    ),
    *(
        "silver",
        "station",
        "stone",
        "summer",
        "thread",
        "tulip",
        "valley",
        "velvet",
        "violet",
        "willow",
        "window",
        "winter",
    ),
)
_HEX = "0123456789abcdef"
_BEGINNING = datetime(2024, 11, 13)
_SHORT = 16
"""Characters of a text of a pattern that may be of any length."""

_TRIES = 40
"""Texts of a pattern that are made before it is given up."""

Fits = Callable[[str], bool]


def text_for(schema: Mapping[str, Any], draws: Draws, fits: Fits) -> str:
    """A text for a merged schema; `fits` judges its pattern and format. Raises `UnusableSchema`."""
    low, high = schema.get("minLength", 0), schema.get("maxLength", MAX_LENGTH)
    if low > MAX_LENGTH:
        raise UnusableSchema(f"minLength: texts of more than {MAX_LENGTH} characters are not made")
    if low > high:
        raise UnusableSchema(f"minLength {low} is above maxLength {high}")
    plain = PATTERNS not in schema and schema.get("format") not in FORMATS
    for text in _candidates(schema, draws, int(low), int(high)):
        if low <= len(text) <= high and (plain or fits(text)):
            return text
    wanted = ", ".join(f"{key} {schema[key]!r:.100}" for key in (*_LIMITS, PATTERNS, "format") if key in schema)
    raise UnusableSchema(f"no text was found for {wanted}")


_LIMITS = ("minLength", "maxLength")


def _candidates(schema: Mapping[str, Any], draws: Draws, low: int, high: int) -> Iterator[str]:
    make = FORMATS.get(schema.get("format", ""))
    if make is not None:
        for _ in range(3):
            text = make(draws)
            yield text
            yield from _lengthened(text, low)
    patterns: list[str] = schema.get(PATTERNS, [])
    for number in range(_TRIES if patterns else 0):
        texts = []
        least = low if number % 4 == 0 else draws.between(0, low)
        most = min(high, max(low, _SHORT if number < _TRIES // 2 else 0))
        for pattern in patterns:
            try:
                texts.append(text_of(pattern, draws, least, most))
            except UnknownPattern as unknown:
                raise UnusableSchema(f"pattern {pattern[:100]!r}: {unknown}") from None
        for text in texts if len(texts) == 1 else (*texts, "".join(texts)):
            yield text
            missing = low - len(text)
            if missing > 0:
                yield text + words(draws, missing, missing)
                yield words(draws, missing, missing) + text
    yield words(draws, low, high)


def words(draws: Draws, low: int, high: int) -> str:
    """Words of `low` to `high` characters together; a few, if that will do."""
    text = " ".join(draws.one_of(WORDS) for _ in range(draws.between(1, 3)))
    while len(text) < low:
        text += " " + draws.one_of(WORDS)
    if len(text) > high:
        text = text[:high]
    return text[:-1] + "s" if text.endswith(" ") else text


def _lengthened(text: str, low: int) -> Iterator[str]:
    """Longer texts of the same format, for those formats that have any."""
    missing = low - len(text)
    if missing > 0:
        name, at, host = text.partition("@")
        yield f"{name}{'a' * missing}{at}{host}"  # an address, or the path of a URI


def _digits(draws: Draws, count: int, letters: str = "0123456789") -> str:
    return "".join(draws.one_of(letters) for _ in range(count))


def _moment(draws: Draws) -> datetime:
    return _BEGINNING + timedelta(seconds=draws.between(0, 2 * 365 * 86_400))


def _uuid(draws: Draws) -> str:
    parts = [_digits(draws, count, _HEX) for count in (8, 4, 3, 3, 12)]
    return f"{parts[0]}-{parts[1]}-4{parts[2]}-{draws.one_of('89ab')}{parts[3]}-{parts[4]}"


def _ipv6(draws: Draws) -> str:
    return "2001:db8:" + ":".join(_digits(draws, 4, _HEX) for _ in range(6))


FORMATS: dict[str, Callable[[Draws], str]] = {
    "date-time": lambda draws: _moment(draws).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "date": lambda draws: _moment(draws).strftime("%Y-%m-%d"),
    "time": lambda draws: _moment(draws).strftime("%H:%M:%SZ"),
    "duration": lambda draws: f"P{draws.between(1, 30)}DT{draws.between(0, 23)}H",
    "email": lambda draws: f"{draws.one_of(WORDS)}@example.com",
    "idn-email": lambda draws: f"{draws.one_of(WORDS)}@example.com",
    "hostname": lambda draws: f"{draws.one_of(WORDS)}.example.com",
    "idn-hostname": lambda draws: f"{draws.one_of(WORDS)}.example.com",
    "ipv4": lambda draws: f"192.0.2.{draws.between(1, 254)}",
    "ipv6": _ipv6,
    "uri": lambda draws: f"https://example.com/{draws.one_of(WORDS)}",
    "iri": lambda draws: f"https://example.com/{draws.one_of(WORDS)}",
    "uri-reference": lambda draws: f"/{draws.one_of(WORDS)}",
    "iri-reference": lambda draws: f"/{draws.one_of(WORDS)}",
    "uri-template": lambda draws: f"https://example.com/{{{draws.one_of(WORDS)}}}",
    "json-pointer": lambda draws: f"/{draws.one_of(WORDS)}",
    "relative-json-pointer": lambda draws: f"0/{draws.one_of(WORDS)}",
    "regex": lambda draws: f"^{draws.one_of(WORDS)}$",
    "uuid": _uuid,
}
