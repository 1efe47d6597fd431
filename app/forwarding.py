"""Requests that came through a proxy: how they are recognised, and whose headers about the client are believed. PURE.

Proxies say in headers who asked them and under which address. Anybody can write such headers, so they count only when
the peer is one of the trusted proxies, by the same words and rules as uvicorn's `--forwarded-allow-ips`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any

from app.addresses import literal_address

Headers = Iterable[tuple[bytes, bytes]]
Scope = MutableMapping[str, Any]

_PREFIX = "emulator.forwarded_prefix"
"""Key of an ASGI scope."""

_NAMES = frozenset(
    (
        *("forwarded", "via", "cdn-loop", "x-real-ip", "client-ip", "true-client-ip", "proxy-client-ip"),
        *("x-client-ip", "x-cluster-client-ip", "x-proxyuser-ip", "x-remote-addr", "x-remote-ip", "x-azure-clientip"),
        *("fastly-client-ip", "fly-client-ip", "wl-proxy-client-ip"),
    )
)
_BEGINNINGS = ("x-forwarded", "x-original-", "x-envoy-", "cf-")

_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+/?")
_NODE = re.compile(r"(?:\[([^\]]*)\]|([\d.]+))(?::(\d{1,5}))?")
_READ = frozenset(("for", "proto", "host", "port", "prefix"))


def forwarding_header(headers: Headers) -> str | None:
    """The name of a header that only a proxy writes; None if the request has none."""
    for raw, _ in headers:
        name = raw.decode("latin-1").lower()
        if name in _NAMES or name.startswith(_BEGINNINGS):
            return name
    return None


def path_in_front(scope: Scope) -> str:
    """The path under which a trusted proxy serves this server, without a slash at its end; "" without one."""
    found: str = scope.get(_PREFIX, "")
    return found


def base_url(scope: Scope) -> str:
    """Where the client reaches this server: `http(s)://host`, and the path in front that a trusted proxy adds."""
    scheme = _SCHEMES.get(scope.get("scheme") or "", "http")
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    if not host and scope.get("server"):
        address, port = scope["server"]
        host = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return f"{scheme}://{host}{path_in_front(scope)}"


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The peers whose forwarding headers are believed."""

    everyone: bool = False
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, setting: str) -> TrustedProxies:
        """Reads uvicorn's notation: addresses and networks, comma separated, or `*`. Raises `ValueError`."""
        parts = [part for part in map(str.strip, setting.split(",")) if part]
        if "*" in parts:
            return cls(everyone=True)
        networks = []
        for part in parts:
            try:
                networks.append(ip_network(part))
            except ValueError as error:
                raise ValueError(f"expected IP addresses or networks, comma separated, or *: {error}") from None
        return cls(networks=tuple(networks))

    def trusts(self, host: str) -> bool:
        """Whether a peer is a trusted proxy."""
        if self.everyone:
            return True
        address = literal_address(host)
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return address is not None and any(address in network for network in self.networks)

    def apply(self, scope: Scope) -> None:
        """Writes what a trusted proxy says about the client into an ASGI scope: its address, the scheme and the host
        it used, the path in front. Headers of others are left alone, and change nothing.
        """
        peer = scope.get("client")
        if not (self.everyone or self.networks) or not self.trusts(peer[0] if peer else ""):
            return
        told = _x_forwarded(scope["headers"]) or _forwarded(scope["headers"])
        if client := self._client(told.get("for", [])):
            scope["client"] = client
        if scheme := _SCHEMES.get(_last(told, "proto").lower()):
            scope["scheme"] = scheme.replace("http", "ws") if scope["type"] == "websocket" else scheme
        if host := _public_host(scope, told):
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope["headers"] = [(b"host", host.encode("latin-1")), *others]
        prefix = _last(told, "prefix")
        if _PATH.fullmatch(prefix):
            scope[_PREFIX] = prefix.rstrip("/")

    def _client(self, hops: list[str]) -> tuple[str, int] | None:
        """The last hop that is no trusted proxy; the first if all are, or if everyone is trusted. None where a proxy
        gives no address (`unknown`).
        """
        nodes = [_node(hop) for hop in hops]
        if not self.everyone:
            for node in reversed(nodes):
                if node is None or not self.trusts(node[0]):
                    return node
        return nodes[0] if nodes else None


def _x_forwarded(headers: Headers) -> dict[str, list[str]]:
    """What the `X-Forwarded-*` headers say: every value, in order; header lines continue each other."""
    told: dict[str, list[str]] = {}
    for name, value in headers:
        key = name.decode("latin-1").removeprefix("x-forwarded-")
        if key in _READ and len(key) < len(name):
            told.setdefault(key, []).extend(part.strip() for part in value.decode("latin-1").split(","))
    return told


def _forwarded(headers: Headers) -> dict[str, list[str]]:
    """The same of `Forwarded` (RFC 7239)."""
    told: dict[str, list[str]] = {}
    for name, value in headers:
        if name == b"forwarded":
            for pair in re.split("[,;]", value.decode("latin-1")):  # neither can stand in a host or an address
                key, _, told_value = pair.partition("=")
                if key.strip().lower() in _READ:
                    told.setdefault(key.strip().lower(), []).append(told_value.strip().strip('"'))
    return told


def _last(told: dict[str, list[str]], key: str) -> str:
    """The word of the nearest proxy; "" if it says nothing."""
    return told.get(key, [""])[-1]


def _public_host(scope: Scope, told: dict[str, list[str]]) -> str:
    """The `host[:port]` that the client asked for; "" where nobody says."""
    host = _last(told, "host")
    if not _HOST.fullmatch(host):
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    port = _last(told, "port")
    bare = host.rpartition(":")[1] == "" or host.endswith("]")
    if host and bare and port.isdecimal() and port != _DEFAULT_PORTS[_SCHEMES.get(scope["scheme"], "http")]:
        return f"{host}:{port}"
    return host


def _node(hop: str) -> tuple[str, int] | None:
    """Address and port of `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`; None for anything else."""
    found = _NODE.fullmatch(hop)
    address = literal_address(found[1] or found[2]) if found else literal_address(hop)
    if address is None:
        return None
    return str(address), int(found[3] or 0) if found else 0
