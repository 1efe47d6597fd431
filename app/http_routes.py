"""How this program reaches a server over HTTP: directly or by a proxy, and which certificates it trusts.

What lies on this machine is reached directly. Anything else obeys the variables that curl and Python know: HTTP_PROXY,
HTTPS_PROXY, ALL_PROXY and NO_PROXY (also in lower case), SSL_CERT_FILE and SSL_CERT_DIR. They are read when a server is
first asked, so that one that is never asked cannot fail by them. REQUESTS_CA_BUNDLE is not read.
"""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from app.addresses import is_loopback

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")


class UnusableEnvironment(Exception):
    """A variable of the environment that cannot be obeyed; the text is one line that names it."""


@dataclass(frozen=True, slots=True)
class Route:
    """The way to a server. `secure`: certificates are needed on it."""

    proxy: str | None
    secure: bool


def route_to(url: str) -> Route:
    """The way to `url`. Raises `UnusableEnvironment`."""
    proxy = proxy_for(url)
    return Route(proxy, any(address.startswith("https:") for address in (url, proxy or "")))


def check_route(url: str, name: str) -> None:
    """Raises `UnusableEnvironment` where nobody can be asked at `url`, or the environment keeps this program from it.
    `name` says where the URL comes from.
    """
    try:
        parts = urlsplit(url)
        fit = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fit = False
    if not fit:
        raise UnusableEnvironment(f"{name} is no address of a server: expected http://HOST:PORT/v1 or https://…")
    if route_to(url).secure:
        certificates()


def proxy_for(url: str) -> str | None:
    """The URL of the proxy that leads to `url`, None where none does. Raises `UnusableEnvironment`."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    if is_loopback(host) or host in ("0.0.0.0", "::"):  # as an address to ask, the last two mean this machine
        return None
    proxies = getproxies()
    kind = next((kind for kind in (parts.scheme, "all") if proxies.get(kind)), None)
    if kind is None or _is_excepted(host, port, proxies.get("no", "")):
        return None
    proxy = proxies[kind] if "://" in proxies[kind] else f"http://{proxies[kind]}"
    _check_proxy(proxy, _variable(f"{kind}_proxy"), host)
    return proxy


def certificates() -> ssl.SSLContext:
    """The authorities that are trusted. Raises `UnusableEnvironment`."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file:
        try:
            return ssl.create_default_context(cafile=file)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            why = "no certificates in it" if isinstance(error, ssl.SSLError) else getattr(error, "strerror", None)
            raise UnusableEnvironment(f"SSL_CERT_FILE={file} cannot be used: {why or error}") from None
    if folder:
        if not any(Path(part).is_dir() for part in folder.split(os.pathsep)):
            raise UnusableEnvironment(f"SSL_CERT_DIR={folder} cannot be used: no such folder")
        return ssl.create_default_context(capath=folder)
    import certifi  # comes with httpx

    return ssl.create_default_context(cafile=certifi.where())


def _check_proxy(proxy: str, variable: str, host: str) -> None:
    way_out = f"unset it, or name {host} in NO_PROXY"
    try:
        parts = urlsplit(proxy)
        name, port = parts.hostname, parts.port
    except ValueError:
        raise UnusableEnvironment(f"{variable} is no valid URL of a proxy: {way_out}") from None
    shown = f"{parts.scheme}://{name or ''}" + (f":{port}" if port else "")  # without a password
    if parts.scheme not in PROXY_SCHEMES or not name:
        known = ", ".join(f"{scheme}://" for scheme in PROXY_SCHEMES)
        raise UnusableEnvironment(f"{variable}={shown} cannot be used: expected one of {known}; {way_out}")
    if parts.scheme.startswith("socks") and find_spec("socksio") is None:
        raise UnusableEnvironment(f"{variable}={shown} cannot be used: install httpx[socks], {way_out}")


def _variable(name: str) -> str:
    """A variable as the environment spells it. The lower case wins, as it does in Python."""
    found = [key for key in os.environ if key.lower() == name]
    return name if name in found or not found else found[-1]


def _is_excepted(host: str, port: int | None, listed: str) -> bool:
    """Whether NO_PROXY names a host: by its name, a domain, an address, a network, with or without a port, or `*`.

    An entry that makes no sense excepts nothing.
    """
    return any(_names(entry, host, port) for entry in listed.replace(",", " ").split())


def _names(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    with suppress(ValueError):
        return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    with suppress(ValueError):
        parts = urlsplit(entry if "://" in entry else f"//{entry}")
        name = (parts.hostname or "").removeprefix("*").strip(".")
        if not name or parts.port not in (None, port):
            return False
        return host == name or host.endswith(f".{name}")
    return False
