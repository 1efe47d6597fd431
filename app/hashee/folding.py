"""Text as it is compared: without case, and in one spelling of each character. PURE.

Done here and kept in columns, for databases differ: SQLite's `lower` knows ASCII only, PostgreSQL's what its locale
knows, and neither takes a decomposed syllable (as macOS writes it) for the composed one.
"""

from __future__ import annotations

from unicodedata import normalize

_DOT_ABOVE = "\u0307"


def fold_email(address: str) -> str:
    """An email address as it is looked up: two that differ in case or in composition are one."""
    return normalize("NFC", normalize("NFD", address.strip()).casefold())


def fold_name(name: str) -> str:
    """A name as it is searched: `STRASSE` finds `Straße`, `istanbul` finds `İstanbul`, `wide` finds `Ｗｉｄｅ`."""
    folded = normalize("NFKD", name).casefold().replace(f"i{_DOT_ABOVE}", "i").replace("ı", "i")
    return normalize("NFKC", folded)
