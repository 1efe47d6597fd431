"""Which URLs a webhook can have, judged by what they are: what their host leads to is judged at each try. PURE."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, quote, urlsplit

from app.addresses import is_loopback, literal_address, why_not_connect

LONGEST_URL = 2_000

_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"  # with the underscore that names of containers have
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_EXPECTED = "https://HOST/PATH is expected"


def check_url(url: str, *, private: bool) -> str:
    """Why a URL cannot be a webhook's; "" if it can. `private`: loopback and private hosts are allowed, and plain http
    to them.
    """
    if len(url) > LONGEST_URL:
        return f"at most {LONGEST_URL} characters"
    if why := _wrong_character(url):
        return why
    try:
        parts = urlsplit(url)
    except ValueError:
        return _EXPECTED
    return _wrong_part(parts) or _wrong_host(parts.hostname or "", parts.scheme == "https", private)


def _wrong_character(url: str) -> str:
    """Why it cannot stand in a request: the parser would drop a tab or a newline, and the request be another."""
    for number, character in enumerate(url, 1):
        if character.isascii() and not "!" <= character <= "~":
            return f"no spaces and control characters in it: character {number} is {quote(character)}"
    if url.isascii():
        return ""
    try:
        host = urlsplit(url).hostname or ""
        return f"a host in ASCII is expected: {_ascii_host(host)}" if not host.isascii() else _ascii_rest(url)
    except ValueError:  # characters that would be a slash or a question mark once they are normalized
        return "ASCII is expected"


def _ascii_host(host: str) -> str:
    """An internationalized name as DNS knows it. Raises ValueError for one that is none."""
    return host.encode("idna").decode()


def _ascii_rest(url: str) -> str:
    wrong = next(character for character in url if not character.isascii())
    return f"ASCII is expected: write {wrong} as {quote(wrong)}"


def _wrong_part(parts: SplitResult) -> str:
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return _EXPECTED
    if "@" in parts.netloc:
        return "no user name and password in it"
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        return "the port is a number from 1 to 65535"
    if "[" in parts.netloc and literal_address(parts.hostname or "") is None:
        return "an IPv6 address is expected between brackets"
    return "" if parts.hostname else _EXPECTED


def _wrong_host(host: str, secure: bool, private: bool) -> str:
    address = None if "%" in host else literal_address(host)
    if address is not None:
        return why_not_connect(address, secure=secure, private=private)
    if not _NAME.fullmatch(host) or len(host.removesuffix(".")) > 253:
        return f"{host} is no host: letters, digits and hyphens between dots are expected"
    if _NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]):
        return f"{host} is no address: four numbers from 0 to 255 between dots are expected"
    if not secure and not (private and _local_name(host)):
        return "plain http is for loopback and private hosts only"
    return ""


def _local_name(host: str) -> bool:
    """Whether a name may be one of a private host: the lookup decides later."""
    return is_loopback(host) or "." not in host or host.endswith((".local", ".internal", ".test"))
