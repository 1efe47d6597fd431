"""What an IP address or a host name stands for: this machine, a private network, the world, or nothing. PURE.

The one judge of addresses: for who may use the control plane, and for where the emulator itself may connect to. And
where in a URL its password is, also in one that is not quite right.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import quote

Address = IPv4Address | IPv6Address

WEB = frozenset(("http", "https", "ws", "wss"))
_PORT = re.compile(r"\d{1,5}")
_NAT64 = ip_network("64:ff9b::/96")


def literal_address(host: str) -> Address | None:
    """The address that a host is written as, with or without brackets and zone; None if it is a name."""
    try:
        return ip_address(host.removeprefix("[").removesuffix("]").partition("%")[0])
    except ValueError:
        return None


def embedded_address(address: Address) -> Address:
    """The IPv4 address inside an IPv6 address (mapped, 6to4, NAT64); the address itself if there is none."""
    if isinstance(address, IPv6Address):
        if inner := address.ipv4_mapped or address.sixtofour:
            return inner
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = literal_address(host)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address is not None and address.is_loopback


def why_not_connect(address: Address, *, secure: bool, private: bool) -> str:
    """Why the emulator may not connect to an address that somebody else named; "" if it may.

    `secure`: over TLS; `private`: loopback and private networks are allowed, and plain HTTP to them. Loopback comes
    first, for `::1` lies in a block that is otherwise reserved.
    """
    address = embedded_address(address)
    if address.is_loopback:
        return "" if private else f"{address} is in a private network"
    if address.is_unspecified or address.is_multicast or address.is_link_local or address.is_reserved:
        return f"{address} is no address of a server"
    if not address.is_global or (isinstance(address, IPv6Address) and address.is_site_local):
        return "" if private else f"{address} is in a private network"
    return "" if secure else "plain http is for loopback and private hosts only"


def credentials(scheme: str, rest: str) -> tuple[str, str, str] | None:
    """User, password, and what follows the `@`, of a URL in which `rest` stands behind `scheme://`; None without a
    password.

    Passwords with `/`, `@`, `#` or `?` in them ought to be percent-encoded and often are not: so the last `@` ends one,
    unless the URL makes good sense without (`http://host:8765/a@b`).
    """
    query = re.search(r"\?" if (web := scheme.lower() in WEB) else r"\?[A-Za-z_][\w.-]*=", rest)
    end = rest.rfind("@", 0, query.start() if query else len(rest))
    sensible = web or end < 0
    if end < 0:
        end = rest.rfind("@")
    user, colon, password = rest[: max(end, 0)].partition(":")
    if not colon or not password or (sensible and re.search("[/?#]", user)):
        return None
    port, *path = re.split("[/?#]", password, maxsplit=1)
    if sensible and path and _PORT.fullmatch(port):
        return None
    return user, password, rest[end + 1 :]


def encoded_url(url: str) -> str:
    """A URL of a database with its user and password percent-encoded, as far as they are not."""
    scheme, slashes, rest = url.partition("://")
    found = credentials(scheme, rest) if slashes else None
    if found is None:
        return url
    user, password, place = found
    return f"{scheme}://{quote(user, safe='%')}:{quote(password, safe='%')}@{place}"
