"""What does not go onto tapes, and what does although it looks alike."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.emulation import placeholders
from app.emulation.placeholders import PLACEHOLDER, Placeholders
from app.redaction import redact

KEY = "d4a3653a4ba72d6e04a293"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123"


SECRET_TEXTS = [
    (f'{{"api_key":"{KEY}"}}', '{"api_key":"redacted-key-1"}'),
    ('{"api_key" : "short"}', '{"api_key" : "redacted-key-1"}'),
    ('{"apiKey":"a b\\nc"}', '{"apiKey":"redacted-key-1"}'),
    ('{"a":"{\\"api_key\\":\\"secret\\"}"}', '{"a":"{\\"api_key\\":\\"redacted-key-1\\"}"}'),
    (
        '{"accessToken":"x","refresh_token":"y"}',
        '{"accessToken":"redacted-token-1","refresh_token":"redacted-token-2"}',
    ),
    ('{"password":"p","org_id":"o"}', '{"password":"redacted-secret-1","org_id":"redacted-org-1"}'),
    (f"key {KEY}, again {KEY}", "key redacted-key-1, again redacted-key-1"),
    ("sk-proj-abcdefghijkl and sk-proj-abcdefghijkl2", "redacted-key-1 and redacted-key-2"),
    ("org_2laPkMJTagQWnkOPpgISd2FJxFE", "redacted-org-1"),
    ("Authorization: Bearer abc123def456ghi", "Authorization: Bearer redacted-token-1"),
    (JWT, "redacted-token-1"),
    (
        "https://h/a.mp3?Expires=1&Signature=abc~-_&Key-Pair-Id=K",
        "https://h/a.mp3?Expires=1&Signature=redacted-signature-1x6&Key-Pair-Id=K",
    ),
    ('"https://h/?a=1\\u0026token=t"', '"https://h/?a=1\\u0026token=redacted-token-1"'),
    ("wss://h/?api_key=k&room_uid=R", "wss://h/?api_key=redacted-key-1&room_uid=R"),
    ("postgresql://user:geheim@host/x", "postgresql://user:redacted-secret-1@host/x"),
    ("postgresql://user:ge@h/eim@host/x", "postgresql://user:redacted-secret-1@host/x"),
    ("redis:\\/\\/:geheim@host", "redis:\\/\\/:redacted-secret-1@host"),
    ('{"type":"auth","token":"a1b2"}', '{"type":"auth","token":"redacted-token-1"}'),
    ('{"token":"Bearer abc"}', '{"token":"redacted-token-1"}'),
    ("hsk_0123456789abcdef is unknown", "redacted-token-1 is unknown"),
    (
        '{"webhookSecret":"x","new_password":"y"}',
        '{"webhookSecret":"redacted-secret-1","new_password":"redacted-secret-2"}',
    ),
    ('{"password":"a\\"b"}', '{"password":"redacted-secret-1"}'),
    ('{"a":"{\\"password\\":\\"x\\\\n\\\\\\"y\\"}"}', '{"a":"{\\"password\\":\\"redacted-secret-1\\"}"}'),
    ("{'api_key': 'k', 'n': 1}", "{'api_key': 'redacted-key-1', 'n': 1}"),
    ('{"api_key":"cut off he', '{"api_key":"redacted-key-1'),
    ("token=abc&x=1", "token=redacted-token-1&x=1"),
    ("key=abc&x=1", "key=redacted-key-1&x=1"),
    ("host=h password=geheim dbname=x", "host=h password=redacted-secret-1 dbname=x"),
    ("https://h/?key=AbC&client_secret=s", "https://h/?key=redacted-key-1&client_secret=redacted-secret-1"),
]


@pytest.mark.parametrize(("text", "left"), SECRET_TEXTS)
def test_a_secret_is_replaced(text: str, left: str) -> None:
    assert Placeholders().text(text) == left


@pytest.mark.parametrize(
    "text",
    [
        '{"api_key":""}',
        '{"api_key":null,"token":"안녕"}',
        '{"msg":"the token is: api_key"}',
        '{"hotword_uid":"d3609c2758b7aa6b9"}',
        f"{KEY}0 x{KEY}",
        "a bearer of good news, and basic information",
        "sk-learn",
        '{"room_uid":"51VPKp3F0yPX","stream_uid":"BfS806fFPYoi00yn9cJx04X0b"}',
        "what? a=b",
        "time 12:30@noon",
        '{"token":" Hello"}',
        '{"token":"\\uc548\\ub155"}',
        '{"max_tokens":5,"token_type":"bearer","tokens":["a"],"hotword_key":"민트"}',
        "a key=value, and policy=open",
        "KEY=VALUE: expected KEY=VALUE",
        "http://127.0.0.1:8765/@someone?mail=a@b.example",
        "token: expected the token of the control plane as Authorization: Bearer, found none",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Placeholders().text(text) == text


def test_a_secret_met_once_is_replaced_everywhere_and_by_the_same() -> None:
    hide = Placeholders()
    assert hide.text('{"api_key":"my own key 1"}') == '{"api_key":"redacted-key-1"}'
    assert hide.text("no such key: my own key 1!") == "no such key: redacted-key-1!"
    assert hide.data(b"\xff my own key 1 \xff") == b"\xff redacted-key-1 \xff"
    assert hide.data(f'{{"password":"{KEY}"}}'.encode()) == b'{"password":"redacted-secret-1"}'


def test_headers_lose_what_they_carry() -> None:
    given = [
        ("Cookie", "a=b; c=d"),
        ("Authorization", "Bearer abc"),
        ("X-Api-Key", "abc"),
        ("X-Session-Token", "t"),
        ("Origin", "http://localhost"),
        ("Referer", f"http://h/?api_key={KEY}"),
        ("Sec-WebSocket-Protocol", f"chat.v2, {JWT}, graphql-transport-ws"),
    ]
    assert Placeholders().headers(given) == {
        "cookie": "redacted-cookie-1",
        "authorization": "Bearer redacted-token-1",
        "x-api-key": "redacted-token-1",
        "x-session-token": "redacted-token-2",
        "origin": "http://localhost",
        "referer": "http://h/?api_key=redacted-key-1",
        "sec-websocket-protocol": "chat.v2, redacted-token-3, graphql-transport-ws",
    }


@pytest.mark.parametrize(
    ("offered", "left"),
    [
        ("mqtt", "mqtt"),
        ("realtime, openai-beta.realtime-v1", "realtime, openai-beta.realtime-v1"),
        ("v12.stomp, soap, wamp.2.json", "v12.stomp, soap, wamp.2.json"),
        ("bearer, my-own-token", "bearer, redacted-token-1"),
        ("access_token,opaque1", "access_token, redacted-token-1"),
        ("realtime, openai-insecure-api-key.sk-abcdefgh1234", "realtime, openai-insecure-api-key.redacted-key-1"),
        (
            "base64url.bearer.authorization.k8s.io.c2VjcmV0dG9rZW4x",
            "base64url.bearer.authorization.k8s.io.redacted-token-1",
        ),
        (f"{JWT[:-11]}", "redacted-token-1"),
        ("hsk_0123456789abcdef", "redacted-token-1"),
    ],
)
def test_a_token_that_is_offered_as_a_subprotocol_is_replaced(offered: str, left: str) -> None:
    assert Placeholders().headers([("Sec-WebSocket-Protocol", offered)]) == {"sec-websocket-protocol": left}


def test_binary_messages_lose_what_has_the_look_of_a_secret() -> None:
    assert Placeholders().data(b"\xff\x00" + f'{{"token":"abc"}}{JWT}'.encode()) == (
        b'\xff\x00{"token":"redacted-token-1"}redacted-token-2'
    )


def test_the_log_and_the_tapes_agree_on_what_is_secret() -> None:
    """One list: what a tape hides, a log line and the journal shorten."""
    for text, left in SECRET_TEXTS:
        assert (redact(text) == text) is (left == text), text


def test_further_fields_are_secret_when_named() -> None:
    hide = Placeholders(["visitor_name", "PIN"])
    assert (
        hide.text('{"visitor_name":"Kim","pin":"12"}')
        == '{"visitor_name":"redacted-secret-1","pin":"redacted-secret-2"}'
    )
    assert hide.text("ws://h/?pin=12") == "ws://h/?pin=redacted-secret-2"


@given(st.text(alphabet='abk"\\:{}_ =&?0123456789', max_size=60))
def test_what_was_hidden_is_not_hidden_again(text: str) -> None:
    hide = Placeholders()
    once = hide.text(f'{{"api_key":"{KEY}","x":{json.dumps(text)}}}')
    assert hide.text(once) == once
    assert KEY not in once


@given(st.text(alphabet="0123456789abcdef", min_size=22, max_size=22), st.text(max_size=20), st.text(max_size=20))
def test_a_key_is_hidden_wherever_it_stands(key: str, before: str, after: str) -> None:
    text = json.dumps({"m": f"{before} {key} {after}"}, ensure_ascii=False)
    assert key not in Placeholders().text(text)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placeholders, "MOST_NUMBERED", 10)
    monkeypatch.setattr(placeholders, "MOST_KNOWN", 5)
    hide = Placeholders()
    for number in range(50):
        assert PLACEHOLDER.search(hide.text(f'{{"api_key":"key number {number:04d}"}}'))
    assert len(hide._numbers) <= 10
    assert len(hide._known) <= 5
