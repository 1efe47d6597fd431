"""The format of tapes: what is written can be read, what cannot be read says where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.emulation.tapes import (
    MOST_FRAMES,
    Refused,
    Tape,
    TapeError,
    TapeFrame,
    file_line,
    header_line,
    parse_tape,
    read_tape,
    read_tapes,
    tape_lines,
)

HEADER = '{"tape":1,"url":"ws://h/v3/?a=1"}'


def written(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def parsed(*lines: str) -> Tape:
    return parse_tape(written(*lines), "name", "name.jsonl")


def complaint(data: bytes) -> str:
    """What is wrong with a tape, "" if nothing is."""
    try:
        parse_tape(data, "name", "name.jsonl")
    except TapeError as error:
        return str(error)
    return ""


texts = st.text(st.characters(codec="utf-8"))
frames = st.builds(
    lambda direction, at, said: TapeFrame(
        direction, round(at, 6), **({"data": said} if isinstance(said, bytes) else {"text": said})
    ),
    st.sampled_from(["client", "server"]),
    st.floats(0, 1e6),
    texts | st.binary(),
)
tapes = st.builds(
    Tape,
    name=st.just("name"),
    url=texts,
    frames=st.lists(frames).map(tuple),
    close=st.tuples(st.integers(1000, 4999), texts) | st.none(),
    closed_by=st.just("server"),
    closed_at=st.just(5.0),
    path=texts,
    started=st.floats(0, 2e9).map(lambda value: round(value, 6)) | st.none(),
    subprotocol=texts | st.none(),
    refused=st.builds(Refused, st.integers(100, 599), texts, texts) | st.none(),
)


@given(tapes)
def test_what_is_written_is_read(tape: Tape) -> None:
    read = parsed(*tape_lines(tape))
    if tape.close is None:
        assert (read.closed_by, read.closed_at) == (None, 0.0)
    else:
        assert (read.close, read.closed_by, read.closed_at) == (tape.close, "server", 5.0)
    for name in ("name", "url", "frames", "close", "path", "started", "subprotocol", "refused"):
        assert getattr(read, name) == getattr(tape, name), name


lines = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["client", "server", "eA=="]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*"abc", "text", "status", "body"]), inner),
    max_leaves=8,
)
keys = st.sampled_from(
    [
        "tape",
        "url",
        "path",
        "started",
        "subprotocol",
        "refused",
        "from",
        "at",
        "text",
        "data",
        "close",
        "reason",
        "by",
        "file",
    ]
)


@settings(max_examples=60)
@given(st.lists(st.dictionaries(keys, lines, max_size=5), max_size=3))
def test_lines_of_any_kind_are_a_tape_or_an_error_that_says_where(found: list[dict[str, Any]]) -> None:
    said = complaint(written(*(json.dumps(line) for line in [{"tape": 1, "url": "u"}, *found])))
    assert said == "" or said.startswith("name.jsonl:")
    assert "\n" not in said


@given(st.binary())
def test_bytes_of_any_kind_are_a_tape_or_an_error_that_says_where(data: bytes) -> None:
    for begin in (b"", HEADER.encode() + b"\n"):
        said = complaint(begin + data)
        assert said == "" or said.startswith("name.jsonl:")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "2: no valid JSON: "),
        ("[]", "2: expected a JSON object, found a list"),
        ("{}", "2: expected a line with one of from, file and close"),
        ('{"from":"me","at":1,"text":""}', "2: from: expected client or server, found a text"),
        ('{"from":"client","at":1}', "2: expected one of text and data"),
        ('{"from":"client","at":1,"text":"","data":""}', "2: expected one of text and data"),
        ('{"from":"client","text":""}', "2: at: expected seconds from 0 to 1e+07, found nothing"),
        ('{"from":"client","at":-1,"text":""}', "2: at: expected seconds from 0 to 1e+07, found -1"),
        ('{"from":"client","at":true,"text":""}', "2: at: expected seconds from 0 to 1e+07, found true"),
        ('{"from":"client","at":1,"text":1}', "2: text: expected a text, found 1"),
        ('{"from":"client","at":1,"data":"*"}', "2: data: expected base64"),
        ('{"close":1,"at":1,"by":"server"}', "2: close: expected a whole number from 1000 to 4999, found 1"),
        ('{"close":1000,"at":1,"by":"me"}', "2: by: expected client, server or recorder"),
        ('{"file":"../x","at":1,"url":"u"}', "2: file: expected a path inside the tape's folder"),
        ('{"file":"/x","at":1,"url":"u"}', "2: file: expected a path inside the tape's folder"),
        ('{"file":"t.voices/a.html","at":1,"url":"https://h/a.mp3"}', "2: file and url: expected a sound (.mp3, .wav"),
        ('{"file":"t.voices/a.mp3","at":1,"url":"https://h/_emulator/docs"}', "2: file and url: expected a sound"),
        ('{"file":"t.voices/a.mp3","at":1,"url":"javascript:a.mp3"}', "2: file and url: expected a sound"),
        ('{"file":"a\\\\..\\\\x","at":1,"url":"u"}', "2: file: expected a path inside the tape's folder"),
    ],
)
def test_a_wrong_line_is_named_with_what_was_expected(line: str, said: str) -> None:
    with pytest.raises(TapeError) as wrong:
        parsed(HEADER, line, '{"from":"client","at":1,"text":""}')
    assert str(wrong.value).startswith(f"name.jsonl:{said}")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", "1: expected a header"),
        ('{"from":"client","at":1,"text":""}', "1: expected a header, "),
        ('{"tape":2,"url":"u"}', "1: expected a header, "),
        ('{"tape":1}', "1: url: expected a text, found nothing"),
        ('{"tape":1,"url":"u","path":1}', "1: path: expected a text, found 1"),
        ('{"tape":1,"url":"u","started":"now"}', "1: started: expected seconds"),
        ('{"tape":1,"url":"u","refused":403}', "1: refused: expected an object, found 403"),
        (
            '{"tape":1,"url":"u","refused":{"status":99}}',
            "1: status: expected a whole number from 100 to 599, found 99",
        ),
    ],
)
def test_a_wrong_header_is_named_with_what_was_expected(header: str, said: str) -> None:
    with pytest.raises(TapeError) as wrong:
        parsed(header)
    assert str(wrong.value).startswith(f"name.jsonl:{said}")


def test_more_messages_than_may_be_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.emulation.tapes.MOST_FRAMES", 2)
    line = '{"from":"client","at":1,"text":""}'
    assert len(parsed(HEADER, line, line).frames) == 2
    with pytest.raises(TapeError, match="4: expected at most 2 messages"):
        parsed(HEADER, line, line, line)
    assert MOST_FRAMES == 1_000_000


def test_a_torn_last_line_is_left_out_and_one_in_the_middle_is_an_error() -> None:
    whole = '{"from":"client","at":1,"text":"a"}'
    torn = written(HEADER, whole) + b'{"from":"client","at":2,"te'
    assert [frame.text for frame in parse_tape(torn, "n", "n.jsonl").frames] == ["a"]
    with pytest.raises(TapeError, match=r"n.jsonl:2: no valid JSON"):
        parse_tape(written(HEADER, '{"from', whole), "n", "n.jsonl")
    with pytest.raises(TapeError, match=r"n.jsonl:1: no valid JSON"):
        parse_tape(b'{"tape":1', "n", "n.jsonl")


def test_a_frame_knows_its_line() -> None:
    tape = parsed(HEADER, '{"from":"client","at":1,"text":"a"}', "", '{"from":"server","at":1,"text":"b"}')
    assert [frame.line for frame in tape.frames] == [2, 4]


def test_what_the_client_asked_for_is_the_path_of_the_url_unless_the_tape_says() -> None:
    assert parsed(HEADER).asked == "/v3/?a=1"
    assert parsed('{"tape":1,"url":"ws://h/deep/v3/","path":"/v3/"}').asked == "/v3/"


def test_a_folder_is_read_in_the_order_of_names_without_what_is_no_tape(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", ".hidden.jsonl", "notes.txt"):
        (tmp_path / name).write_bytes(written(HEADER))
    (tmp_path / "a.voices").mkdir()
    assert [tape.name for tape in read_tapes(tmp_path)] == ["a", "b"]


def test_files_beside_a_tape_are_found_if_they_are_there(tmp_path: Path) -> None:
    (tmp_path / "t.voices").mkdir()
    (tmp_path / "t.voices" / "a.mp3").write_bytes(b"sound")
    lines = [
        HEADER,
        file_line(1, "t.voices/a.mp3", "https://h/a.mp3"),
        file_line(1, "t.voices/b.mp3", "https://h/b.mp3"),
    ]
    (tmp_path / "t.jsonl").write_bytes(written(*lines))
    found = (tmp_path / "t.voices" / "a.mp3").resolve()
    assert read_tape(tmp_path / "t.jsonl").files == {"https://h/a.mp3": found}


@pytest.mark.parametrize("linked", ["a.mp3", "t.voices"])
def test_a_link_that_leads_out_of_the_tapes_folder_is_refused(tmp_path: Path, linked: str) -> None:
    """Somebody sends a tape with a link to a file of the machine that serves it."""
    folder, elsewhere = tmp_path / "tapes", tmp_path / "elsewhere"
    (folder / "t.voices").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "a.mp3").write_bytes(b"not yours")
    if linked == "t.voices":
        (folder / "t.voices").rmdir()
        (folder / "t.voices").symlink_to(elsewhere)
    else:
        (folder / "t.voices" / "a.mp3").symlink_to(elsewhere / "a.mp3")
    lines = [header_line(url="ws://h"), file_line(1, "t.voices/a.mp3", "https://h/a.mp3")]
    (folder / "t.jsonl").write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(TapeError, match=r"t\.jsonl:2: file: leads out of the tape's folder"):
        read_tape(folder / "t.jsonl")


def test_a_link_to_something_else_inside_the_folder_is_no_sound(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<script>")
    (tmp_path / "a.mp3").symlink_to(tmp_path / "page.html")
    (tmp_path / "t.jsonl").write_text(f"{header_line(url='ws://h')}\n{file_line(1, 'a.mp3', 'https://h/a.mp3')}\n")
    with pytest.raises(TapeError, match="leads out of the tape's folder"):
        read_tape(tmp_path / "t.jsonl")


def test_what_is_no_tape_at_all_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TapeError, match="no such file or folder"):
        read_tapes(tmp_path / "none")
    with pytest.raises(TapeError, match=r"there is no tape \(\*.jsonl, \*.har\) in this folder"):
        read_tapes(tmp_path)
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(TapeError, match=r"a tape is a .jsonl file"):
        read_tapes(tmp_path / "x.txt")
    (tmp_path / "big.jsonl").write_bytes(written(HEADER) * 100)
    monkeypatch.setattr("app.emulation.tapes.LARGEST_FILE", 1000)
    with pytest.raises(TapeError, match="is larger than 1000 bytes"):
        read_tapes(tmp_path / "big.jsonl")
