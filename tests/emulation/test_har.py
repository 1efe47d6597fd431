"""HAR files: what Chrome saves is read, what is exported comes back, and nothing else gets through unnamed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.emulation.har import exported, parse_har, read_har
from app.emulation.tapes import Refused, Tape, TapeError, TapeFrame, read_tapes

Json = dict[str, Any]


def entry(**fields: Any) -> Json:
    """An entry as Chrome's developer tools save it."""
    return {
        "_initiator": {"type": "script"},
        "_resourceType": "websocket",
        "request": {"method": "GET", "url": "wss://ws.api.chldo.com/v3/?room_uid=R", "headers": []},
        "response": {"status": 101, "statusText": "Switching Protocols", "headers": []},
        "startedDateTime": "2024-11-13T00:00:00.500Z",
        "time": 3000,
        "_webSocketMessages": [
            {"type": "send", "time": 1731456000.75, "opcode": 1, "data": '{"action":"status"}'},
            {"type": "receive", "time": 1731456001.0, "opcode": 1, "data": "안녕"},
            {"type": "receive", "time": 1731456001.5, "opcode": 2, "data": base64.b64encode(b"\0\1").decode()},
        ],
        **fields,
    }


def har(*entries: Any) -> bytes:
    return json.dumps({"log": {"version": "1.2", "creator": {"name": "WebInspector"}, "entries": entries}}).encode()


def parsed(*entries: Any) -> list[Tape]:
    return parse_har(har(*entries), "saved", "saved.har")


def test_what_chrome_saves_becomes_a_tape() -> None:
    page: Json = {"request": {"url": "https://example.com/"}, "response": {"status": 200}}
    (tape,) = parsed(page, entry())
    assert (tape.name, tape.url, tape.asked) == ("saved-1", "wss://ws.api.chldo.com/v3/?room_uid=R", "/v3/?room_uid=R")
    assert tape.started == 1731456000.5
    assert tape.frames == (
        TapeFrame("client", 0.25, text='{"action":"status"}'),
        TapeFrame("server", 0.5, text="안녕"),
        TapeFrame("server", 1.0, data=b"\0\1"),
    )
    assert tape.close is None


def test_an_error_message_is_a_lost_connection() -> None:
    messages = [*entry()["_webSocketMessages"], {"type": "error", "time": 1731456002.5, "opcode": -1, "data": "reset"}]
    (tape,) = parsed(entry(_webSocketMessages=messages))
    assert (tape.close, tape.closed_by, tape.closed_at) == ((1006, "reset"), "server", 2.0)
    assert len(tape.frames) == 3


def test_messages_before_the_entry_began_begin_it() -> None:
    (tape,) = parsed(
        entry(
            startedDateTime="2024-11-13T01:00:00+01:00",
            _webSocketMessages=[{"type": "send", "time": 1731455999.0, "opcode": 1, "data": "early"}],
        )
    )
    assert (tape.started, tape.frames[0].at) == (1731455999.0, 0.0)


def test_milliseconds_are_taken_for_what_they_are() -> None:
    messages = [{**one, "time": one["time"] * 1000} for one in entry()["_webSocketMessages"]]
    (tape,) = parsed(entry(_webSocketMessages=messages))
    assert [frame.at for frame in tape.frames] == [0.25, 0.5, 1.0]


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    data = har(entry()).replace(b'"\\uc548\\ub155"', b'"\\ud83d"')
    assert parse_har(data, "saved", "saved.har")[0].frames[1].text == "?"


def test_a_byte_order_mark_is_taken() -> None:
    assert parse_har(b"\xef\xbb\xbf" + har(entry()), "saved", "saved.har")


texts = st.text(st.characters(codec="utf-8"))
ascii_urls = st.sampled_from(["wss://h/v3/?a=1&b=%20", "ws://127.0.0.1:9/", "wss://h"])
frames = st.builds(
    lambda direction, at, said: TapeFrame(
        direction, round(at, 3), **({"data": said} if isinstance(said, bytes) else {"text": said})
    ),
    st.sampled_from(["client", "server"]),
    st.floats(0, 1e5),
    texts | st.binary(),
)
tapes = st.builds(
    Tape,
    name=texts.filter(bool),
    url=ascii_urls,
    frames=st.lists(frames, min_size=1).map(lambda made: tuple(sorted(made, key=lambda frame: frame.at))),
    close=st.tuples(st.integers(1000, 4999), texts) | st.none(),
    closed_by=st.just("client"),
    closed_at=st.just(7.0),
    path=st.sampled_from(["", "/v3/?a=1"]),
    started=st.integers(1_000_000_000, 2_000_000_000).map(float),
    subprotocol=st.sampled_from([None, "chat.v1"]),
)


@given(st.lists(tapes, min_size=1, max_size=3))
def test_what_is_exported_comes_back(given_tapes: list[Tape]) -> None:
    read = parse_har(exported(given_tapes, "1"), "x", "x.har")
    assert len(read) == len(given_tapes)
    for tape, back in zip(given_tapes, read, strict=True):
        for name in ("name", "url", "path", "started", "subprotocol", "close"):
            assert getattr(back, name) == getattr(tape, name), name
        assert [(one.direction, one.text, one.data) for one in back.frames] == [
            (one.direction, one.text, one.data) for one in tape.frames
        ]
        assert all(abs(one.at - other.at) < 2e-6 for one, other in zip(back.frames, tape.frames, strict=True))
        if tape.close:
            assert (back.closed_by, back.closed_at) == ("client", 7.0)


def test_a_refusal_comes_back() -> None:
    tape = Tape("r", "ws://h/", (), refused=Refused(403, '{"message":"no"}', "application/json"))
    assert parse_har(exported([tape], "1"), "x", "x.har")[0].refused == tape.refused


def test_the_exported_file_has_what_har_1_2_requires() -> None:
    (tape,) = parsed(entry())
    log = json.loads(exported([tape], "9.9"))["log"]
    assert (log["version"], log["creator"]) == ("1.2", {"name": "chldo-emulator", "version": "9.9"})
    (one,) = log["entries"]
    assert one.keys() >= {"startedDateTime", "time", "request", "response", "cache", "timings"}
    assert one["request"].keys() == {
        *("method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize")
    }
    assert one["response"].keys() == {
        *(
            "status",
            "statusText",
            "httpVersion",
            "cookies",
            "headers",
            "content",
            "redirectURL",
            "headersSize",
            "bodySize",
        )
    }
    assert one["request"]["queryString"] == [{"name": "room_uid", "value": "R"}]
    assert one["_webSocketMessages"] == entry()["_webSocketMessages"]
    assert one["startedDateTime"] == "2024-11-13T00:00:00.500000+00:00"


def message(**fields: Any) -> Json:
    return entry(_webSocketMessages=[{"type": "send", "time": 1731456001, "opcode": 1, "data": "", **fields}])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "saved.har:1: no valid JSON"),
        (b'{"log":\n{]', "saved.har:2: no valid JSON"),
        (b"\xff", "saved.har:1: no valid JSON"),
        (b"[]", "saved.har: expected a HAR file, an object with log.entries"),
        (b'{"log":{}}', "saved.har: expected a HAR file, an object with log.entries"),
        (har(), "saved.har: no entry has _webSocketMessages: "),
        (har({}, 1, None), "saved.har: no entry has _webSocketMessages: "),
        (har(entry(_webSocketMessages={})), "saved.har: entries[0]._webSocketMessages: expected a list"),
        (har(entry(request=1)), "saved.har: entries[0].request.url: expected a text"),
        (har(entry(request={"url": "ws://[x"})), "saved.har: entries[0].request.url: expected a URL"),
        (har(entry(startedDateTime="now")), "saved.har: entries[0].startedDateTime: expected a date"),
        (har({}, entry(_webSocketMessages=[1])), "saved.har: entries[1]._webSocketMessages[0]: expected an object"),
        (har(message(time="1")), "saved.har: entries[0]._webSocketMessages[0].time: expected epoch seconds"),
        (har(message(time=10**400)), "saved.har: entries[0]._webSocketMessages[0].time: expected epoch seconds"),
        (har(message(time=1e10)), "saved.har: entries[0]._webSocketMessages[0].time: expected at most"),
        (har(message(type="x")), "saved.har: entries[0]._webSocketMessages[0].type: expected send, receive or error"),
        (har(message(opcode=3)), "saved.har: entries[0]._webSocketMessages[0].opcode: expected 1 (text) or 2 (binary)"),
        (har(message(data=1)), "saved.har: entries[0]._webSocketMessages[0].data: expected a text"),
        (har(message(opcode=2, data="*")), "saved.har: entries[0]._webSocketMessages[0].data: expected base64"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(data: bytes, said: str) -> None:
    with pytest.raises(TapeError) as wrong:
        parse_har(data, "saved", "saved.har")
    assert str(wrong.value).startswith(said)
    assert "\n" not in str(wrong.value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_a_har_of_any_kind_is_tapes_or_an_error(data: st.DataObject) -> None:
    one = entry()
    target: Any = data.draw(st.sampled_from([one, one["_webSocketMessages"][0], one["request"], one["response"]]))
    target[data.draw(st.sampled_from([*target]))] = data.draw(anything)
    one["_tape"] = data.draw(anything | st.just({"close": 1000, "by": "server", "closedAt": "x"}))
    said = ""
    try:
        parse_har(har(one), "saved", "saved.har")
    except TapeError as error:
        said = str(error)
    assert said == "" or said.startswith("saved.har: entries[0]")


@given(st.binary())
def test_bytes_of_any_kind_are_tapes_or_an_error(data: bytes) -> None:
    with pytest.raises(TapeError):
        parse_har(data, "saved", "saved.har")


def test_a_har_file_stands_for_its_tapes(tmp_path: Path) -> None:
    (tmp_path / "saved.har").write_bytes(har(entry(), entry()))
    assert [tape.name for tape in read_tapes(tmp_path)] == ["saved-1", "saved-2"]
    assert read_har(tmp_path / "saved.har") == read_tapes(tmp_path / "saved.har")
