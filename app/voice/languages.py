"""The 37 languages of the wire and the espeak-ng voice that speaks each.

Source: spec section 3 for the codes; the voices were tried with espeak-ng 1.52.
"""

from __future__ import annotations

import re

VOICES = {
    "ko": "ko",
    "en": "en-us",
    "ja": "ja",
    "zh": "cmn",
    "es": "es",
    "fr": "fr",
    "de": "de",
    "it": "it",
    "pt": "pt",
    "ru": "ru",
    "ar": "ar",
    "hi": "hi",
    "bn": "bn",
    "pa": "pa",
    "tr": "tr",
    "nl": "nl",
    "sv": "sv",
    "no": "nb",
    "da": "da",
    "fi": "fi",
    "pl": "pl",
    "cs": "cs",
    "sk": "sk",
    "sl": "sl",
    "hr": "hr",
    "bg": "bg",
    "el": "el",
    "ro": "ro",
    "hu": "hu",
    "lt": "lt",
    "lv": "lv",
    "tl": "id",
    "vi": "vi",
    "th": "th",
    "id": "id",
    "ms": "ms",
    "ca": "ca",
}

_ALIASES = {"cmn": "zh", "nb": "no", "nn": "no", "fil": "tl", "in": "id"}

_NOTES = {
    "tl": "espeak-ng has no Tagalog voice, the Indonesian one speaks",
    "th": "the Thai voice of espeak-ng runs words without spaces together",
}
_KANJI_NOTE = "kanji have no reading in espeak-ng, each is spoken as a foreign letter; kana are read well"
_KANJI = re.compile(r"[㐀-䶿一-鿿]")


def base_language(code: str) -> str:
    """The language of a code as clients write it: `ko-KR`, `PT_br` and `zh-Hant-TW` give `ko`, `pt` and `zh`."""
    base = re.split(r"[-_]", code.strip().lower(), maxsplit=1)[0]
    return _ALIASES.get(base, base)


def unspoken(code: str) -> str | None:
    """That no voice speaks a language, if so; `code` as clients write it."""
    base = base_language(code)
    return None if base in VOICES else f"no voice speaks {base[:20]!r}, tones are used"


def approximation(language: str, text: str) -> str | None:
    """What a listener should know about how espeak-ng speaks this text, or None if it does it properly.

    `language` is a base language.
    """
    if language == "ja" and _KANJI.search(text):
        return _KANJI_NOTE
    return _NOTES.get(language)
