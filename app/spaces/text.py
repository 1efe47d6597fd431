"""Text that both databases accept."""

from __future__ import annotations


def storable(text: str) -> str:
    """`text` without what a database refuses: NUL is left out, half a surrogate pair becomes U+FFFD.

    PostgreSQL has no NUL in text and neither database has lone surrogates, which JSON can spell (`"\\ud83d"`).
    """
    if "\0" in text:
        text = text.replace("\0", "")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
