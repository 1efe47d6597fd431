"""What an address stands for, and whether the emulator may connect to it on behalf of somebody else."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from sqlalchemy import make_url

from app.addresses import credentials, encoded_url, is_loopback, literal_address, why_not_connect


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.8.9.10", "::1", "[::1]", "::ffff:127.0.0.1", "[::ffff:7f00:1]", "0:0:0:0:0:0:0:1"),
        *("localhost", "LOCALHOST", "localhost.", "app.localhost", "a.b.localhost."),
    ],
)
def test_names_and_addresses_of_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        *("", "0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "example.com", "localhost.example.com", "notlocalhost"),
        *("127.0.0.1.example.com", "2130706433", "127.1", "::2", "::ffff:10.0.0.1", "fe80::1"),
    ],
)
def test_names_and_addresses_that_may_mean_others(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
def test_loopback_is_judged_before_what_is_reserved(host: str) -> None:
    for secure in (False, True):
        assert why_not_connect(ip_address(host), secure=secure, private=True) == ""
        assert "private network" in why_not_connect(ip_address(host), secure=secure, private=False)


@pytest.mark.parametrize("host", ["10.1.2.3", "192.168.0.1", "172.16.0.1", "100.64.0.1", "fd00::1", "fec0::1"])
def test_private_networks_are_allowed_or_not_as_one(host: str) -> None:
    assert why_not_connect(ip_address(host), secure=False, private=True) == ""
    assert "private network" in why_not_connect(ip_address(host), secure=True, private=False)


@pytest.mark.parametrize(
    "host",
    [
        *("0.0.0.0", "::", "224.0.0.1", "ff02::1", "169.254.169.254", "fe80::1", "240.0.0.1", "255.255.255.255"),
        *("::ffff:169.254.169.254", "2002:a9fe:a9fe::", "4000::1", "::7f00:1"),
    ],
)
def test_what_is_no_servers_address_is_refused_everywhere(host: str) -> None:
    for private in (False, True):
        assert "no address of a server" in why_not_connect(ip_address(host), secure=True, private=private)


@pytest.mark.parametrize("host", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_the_world_is_reached_over_tls_only(host: str) -> None:
    assert why_not_connect(ip_address(host), secure=True, private=False) == ""
    assert "plain http" in why_not_connect(ip_address(host), secure=False, private=True)


@pytest.mark.parametrize(("host", "address"), [("[::1]", "::1"), ("fe80::1%eth0", "fe80::1"), ("10.0.0.1", "10.0.0.1")])
def test_a_literal_is_read_with_brackets_and_zone(host: str, address: str) -> None:
    assert literal_address(host) == ip_address(address)
    assert literal_address(f"{address}.example.com") is None


@pytest.mark.parametrize(
    ("url", "user", "password", "place"),
    [
        ("postgresql://u:p@h/x", "u", "p", "h/x"),
        ("postgresql://u:p@ss/w0rd@h/x", "u", "p@ss/w0rd", "h/x"),
        ("postgresql://u:p/w@h:5432/x?sslmode=require", "u", "p/w", "h:5432/x?sslmode=require"),
        ("postgresql://u:p@s?s@h/x", "u", "p@s?s", "h/x"),
        ("postgresql://u:p#w:x@h/x", "u", "p#w:x", "h/x"),
        ("postgresql://u:p?a=b@h/x", "u", "p?a=b", "h/x"),
        ("postgresql://u:p@h/x?options=a@b", "u", "p", "h/x?options=a@b"),
        ("redis://:p@h", "", "p", "h"),
        ("http://u:p@ss@h:80/", "u", "p@ss", "h:80/"),
        ("http://u:se/cret@h/", "u", "se/cret", "h/"),
        ("wss://u:1@h", "u", "1", "h"),
    ],
)
def test_a_password_is_found_also_where_it_is_not_encoded(url: str, user: str, password: str, place: str) -> None:
    assert credentials(*url.split("://", 1)) == (user, password, place)


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:8765/a@b", "https://v.example/a.mp3?to=a:b@c", "https://v.example?to=a:b@c", "http://u@h/"),
        *("postgresql://h:5432/x?options=a@b", "postgresql://h/x?options=a:b@c", "postgresql://h/x", "http://h:80"),
        "https://h:443?mail=a@b",
    ],
)
def test_a_url_without_a_password_has_none(url: str) -> None:
    assert credentials(*url.split("://", 1)) is None
    assert encoded_url(url) == url


def test_a_database_is_reached_whatever_its_password() -> None:
    for password in ("p@ss/w0rd", "a?b#c:d@", "100%", "%40", "with space", "한글"):
        url = make_url(encoded_url(f"postgresql://u:{password}@h:5432/x?sslmode=require"))
        wanted = "@" if password == "%40" else password
        assert (url.username, url.password, url.host, url.port, url.database) == ("u", wanted, "h", 5432, "x")
        assert encoded_url(encoded_url(str(password))) == encoded_url(str(password))
