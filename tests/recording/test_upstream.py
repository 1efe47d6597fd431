"""Where requests go, and which headers go along."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.emulation.recording.upstream import UpstreamError, passed_on, upstream_of


@pytest.mark.parametrize(
    ("upstream", "asked", "url"),
    [
        ("wss://ws.api.chldo.com", "/v3/?room_uid=R", "wss://ws.api.chldo.com/v3/?room_uid=R"),
        ("wss://h:8443/deep/er/", "/x?y", "wss://h:8443/deep/er/x?y"),
        ("ws://h/v3/", "/", "ws://h/v3/"),
        ("ws://h:80/?key=k", "/a?b=%20c", "ws://h/a?key=k&b=%20c"),
        ("ws://[::1]:9/", "/a%2Fb", "ws://[::1]:9/a%2Fb"),
    ],
)
def test_what_is_asked_here_stands_behind_the_upstreams_own_path(upstream: str, asked: str, url: str) -> None:
    there = upstream_of(upstream)
    assert there.url(asked) == url
    assert there.uri(asked).resource_name == there.target(asked)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://example.com", "expected wss://"),
        ("example.com", "expected wss://"),
        ("wss://", "expected wss://"),
        ("wss://h:port/", "no valid URL"),
        ("wss://h:99999/", "no valid URL"),
        ("wss://[::1/", "no valid URL"),
        ("wss://u:p@h/", "a user and a password"),
        ("wss://h/#x", "no fragment"),
        ("wss://h/가", "percent-encoded"),
    ],
)
def test_an_upstream_that_cannot_be_used_says_why(url: str, why: str) -> None:
    with pytest.raises(UpstreamError, match=why.replace("[", "\\[")) as refused:
        upstream_of(url)
    assert "\n" not in str(refused.value)


def test_authorities_that_are_none_say_why(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError, match="No such file"):
        upstream_of("wss://h", ca=tmp_path / "none.pem")
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    with pytest.raises(UpstreamError, match="no certificate in it"):
        upstream_of("wss://h", ca=empty)


def test_headers_of_one_hop_and_of_the_handshake_stay() -> None:
    given = [
        ("Connection", "Upgrade, X-Hop"),
        ("Upgrade", "websocket"),
        ("X-Hop", "1"),
        ("Sec-WebSocket-Key", "k"),
        ("Transfer-Encoding", "chunked"),
        ("Cookie", "a=b"),
        ("cookie", "c=d"),
        ("X-Own", "mine"),
        ("Host", "h"),
    ]
    assert passed_on(given, without=("host",)) == [("Cookie", "a=b"), ("cookie", "c=d"), ("X-Own", "mine")]
