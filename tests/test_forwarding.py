"""Whose headers about the client count, and what they change: uvicorn's rules, and those for host and path."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from app.forwarding import TrustedProxies, base_url, forwarding_header
from app.settings import Settings, SettingsError, load_settings

PEER = ("10.0.0.1", 40000)


def asked(*headers: tuple[str, str], kind: str = "http", peer: tuple[str, int] | None = PEER) -> dict[str, Any]:
    """An ASGI scope of a request to 127.0.0.1:8765."""
    raw = [(name.lower().encode(), value.encode()) for name, value in (("Host", "127.0.0.1:8765"), *headers)]
    scheme = "ws" if kind == "websocket" else "http"
    return {"type": kind, "scheme": scheme, "client": peer, "server": ("127.0.0.1", 8765), "headers": raw}


def told(trusted: str, *headers: tuple[str, str], kind: str = "http") -> tuple[str, str]:
    """The client's address and the public base, as a server that trusts `trusted` sees them."""
    scope = asked(*headers, kind=kind)
    TrustedProxies.of(trusted).apply(scope)
    return scope["client"][0], base_url(scope)


@pytest.mark.parametrize("trusted", ["", "127.0.0.1", "10.0.0.2,10.0.1.0/24", "::1"])
def test_headers_of_a_peer_that_is_not_trusted_change_nothing(trusted: str) -> None:
    headers = (
        *(("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example")),
        *(("X-Forwarded-Prefix", "/evil"), ("Forwarded", "for=203.0.113.9;host=evil.example;proto=https")),
    )
    assert told(trusted, *headers) == ("10.0.0.1", "http://127.0.0.1:8765")


@pytest.mark.parametrize("trusted", ["10.0.0.1", " 192.0.2.7 , 10.0.0.0/8", "*", "::ffff:10.0.0.1,10.0.0.1"])
def test_headers_of_a_trusted_proxy_count(trusted: str) -> None:
    headers = (
        *(("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "chat.example")),
        ("X-Forwarded-Prefix", "/emulator/"),
    )
    assert told(trusted, *headers) == ("203.0.113.9", "https://chat.example/emulator")


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ([("X-Forwarded-Proto", "https")], "https://127.0.0.1:8765"),
        ([("X-Forwarded-Proto", "wss")], "https://127.0.0.1:8765"),
        ([("X-Forwarded-Proto", "gopher")], "http://127.0.0.1:8765"),
        ([("X-Forwarded-Proto", "http"), ("X-Forwarded-Proto", "https")], "https://127.0.0.1:8765"),
        ([("X-Forwarded-Host", "a.example:8443")], "http://a.example:8443"),
        ([("X-Forwarded-Host", "first.example, last.example")], "http://last.example"),
        ([("X-Forwarded-Host", "[2001:db8::1]:99")], "http://[2001:db8::1]:99"),
        ([("X-Forwarded-Host", "a b"), ("X-Forwarded-Proto", "https")], "https://127.0.0.1:8765"),
        ([("X-Forwarded-Host", 'x"><script>')], "http://127.0.0.1:8765"),
        ([("X-Forwarded-Host", "a.example/path")], "http://127.0.0.1:8765"),
        ([("X-Forwarded-Host", "a.example"), ("X-Forwarded-Port", "8443")], "http://a.example:8443"),
        (
            [("X-Forwarded-Host", "a.example"), ("X-Forwarded-Port", "443"), ("X-Forwarded-Proto", "https")],
            "https://a.example",
        ),
        ([("X-Forwarded-Host", "a.example:1"), ("X-Forwarded-Port", "2")], "http://a.example:1"),
        ([("X-Forwarded-Host", "a.example"), ("X-Forwarded-Port", "8443;x")], "http://a.example"),
        ([("X-Forwarded-Prefix", "//evil.example")], "http://127.0.0.1:8765"),
        ([("Forwarded", "for=203.0.113.9;proto=https;host=a.example")], "https://a.example"),
        ([("Forwarded", 'For="[2001:db8::1]:80"; Proto=https ;Host="a.example:8443"')], "https://a.example:8443"),
        ([("Forwarded", "host=first.example, host=last.example;proto=https")], "https://last.example"),
        ([("Forwarded", "host=b.example"), ("X-Forwarded-Host", "a.example")], "http://a.example"),
        ([("Forwarded", "nonsense")], "http://127.0.0.1:8765"),
    ],
)
def test_a_trusted_proxy_says_where_the_client_reached_it(headers: list[tuple[str, str]], base: str) -> None:
    assert told("10.0.0.1", *headers)[1] == base
    assert told("10.0.0.1", *headers, kind="websocket")[1] == base


@pytest.mark.parametrize(
    ("trusted", "values", "client"),
    [
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["127.0.0.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["127.0.0.1", "203.0.113.9"], "203.0.113.9"),
        ("10.0.0.0/8", ["203.0.113.9, 10.9.9.9"], "203.0.113.9"),
        ("10.0.0.0/8", ["10.1.1.1, 10.9.9.9"], "10.1.1.1"),
        ("*", ["198.51.100.1, 203.0.113.9"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9:5050"], "203.0.113.9"),
        ("10.0.0.1", ["2001:db8::9"], "2001:db8::9"),
        ("10.0.0.1", ["[2001:db8::9]:443"], "2001:db8::9"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, unknown"], "10.0.0.1"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxy(trusted: str, values: list[str], client: str) -> None:
    assert told(trusted, *(("X-Forwarded-For", value) for value in values))[0] == client


def test_the_address_of_a_forwarded_header_is_read_likewise() -> None:
    assert told("10.0.0.1", ("Forwarded", 'for=127.0.0.1, for="[2001:db8::9]:4711"'))[0] == "2001:db8::9"


def test_a_socket_keeps_a_sockets_scheme() -> None:
    scope = asked(("X-Forwarded-Proto", "https"), kind="websocket")
    TrustedProxies.of("*").apply(scope)
    assert scope["scheme"] == "wss"


def test_a_peer_without_an_address_is_trusted_by_a_star_only() -> None:
    for trusted, scheme in (("10.0.0.1", "http"), ("*", "https")):
        scope = asked(("X-Forwarded-Proto", "https"), peer=None)
        TrustedProxies.of(trusted).apply(scope)
        assert scope["scheme"] == scheme


def test_a_base_without_a_host_is_the_servers_own_address() -> None:
    assert base_url({"scheme": "http", "headers": [], "server": ("::1", 8765)}) == "http://[::1]:8765"


@pytest.mark.parametrize(
    "name",
    [
        *("Forwarded", "Via", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded"),
        *("X-Forwarded-Anything", "X-FORWARDED-SERVER", "CF-Connecting-IP", "True-Client-IP", "X-Client-IP"),
        *("CDN-Loop", "X-Original-Forwarded-For", "Fastly-Client-IP", "x-envoy-external-address"),
    ],
)
def test_headers_that_only_proxies_write_are_recognised(name: str) -> None:
    assert forwarding_header([(b"host", b"localhost"), (name.encode(), b"")]) == name.lower()


@pytest.mark.parametrize("name", ["Host", "X-Forward", "Viable", "X-Request-Id", "traceparent", "Cf", "Origin"])
def test_other_headers_are_not(name: str) -> None:
    assert forwarding_header([(name.encode(), b"203.0.113.9")]) is None


@pytest.mark.parametrize("setting", ["localhost", "10.0.0.1/8", "10.0.0", "10.0.0.1;10.0.0.2", "all", "10.0.0.0/33"])
def test_a_setting_that_names_no_address_is_refused(setting: str) -> None:
    with pytest.raises(SettingsError, match=r"^--forwarded-allow-ips: expected IP addresses or networks, comma"):
        load_settings(forwarded_allow_ips=setting)


def test_none_is_trusted_by_default_whatever_uvicorns_own_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    assert TrustedProxies.of(load_settings().forwarded_allow_ips) == TrustedProxies()
    monkeypatch.setenv("CHLDO_FORWARDED_ALLOW_IPS", "10.0.0.0/8")
    assert TrustedProxies.of(load_settings().forwarded_allow_ips).trusts("10.1.2.3")
    with pytest.raises(ValidationError):
        Settings(forwarded_allow_ips="nobody")
