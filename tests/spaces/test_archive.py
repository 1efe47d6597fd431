"""Snapshots on disk."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from app.spaces import archive
from app.spaces.archive import Archive, ArchiveFull, NoSnapshot, Taken
from app.spaces.contents import Holdings, Rows

HOLDINGS = Holdings()
ROWS: Rows = {
    **{table.name: [] for table in HOLDINGS.tables},
    "spaces": [[*("a", "org", "데모", 1, 0, 0, True, "ko", "scripted", "companion", "", True, "strict", 1, "")]],
    "lore": [],
    "memories": [],
    "api_keys": [["k", "a", True]],
    "rooms": [["a", "r", 1], ["a", "q", 0]],
    "turns": [[*("a", "r", 1, "u", None, "안녕", "", "ko", None, None, "2024-11-13", 0, "")]],
    "fired": [],
}
TAKEN = Taken(
    rows=ROWS,
    threads=[["", "a/r", "msgpack", "AA==", "json", "AA=="]],
    strict={"a": True},
)


def header(schemas: dict[str, str] = HOLDINGS.schemas) -> bytes:
    told = {"schemas": schemas, "name": "", "at": 1, "spaces": 0, "rooms": 0, "turns": 0, "threads": 0}
    return json.dumps(told).encode() + b"\n"


def file_of(rows: Mapping[str, object] = ROWS, **last: object) -> bytes:
    """A snapshot's file with these rows and this last line."""
    lines = [{"table": table, "rows": members} for table, members in rows.items()]
    return header() + b"".join(
        json.dumps(line).encode() + b"\n" for line in (*lines, {"threads": [], "strict": {}} | last)
    )


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    kept = Archive(tmp_path / "snapshots", HOLDINGS)
    assert kept.all() == []
    made = kept.write("전", 12.5, TAKEN)
    assert (made.id, made.name, made.at, made.spaces, made.rooms, made.turns, made.threads) == (
        *("s1", "전", 12.5),
        *(1, 2, 1, 1),
    )
    assert made.bytes == (tmp_path / "snapshots" / "s1.jsonl").stat().st_size
    assert kept.all() == [made]
    assert kept.read(made) == TAKEN


def test_the_files_are_for_their_owner_only_and_nothing_else_stays(tmp_path: Path) -> None:
    kept = Archive(tmp_path, HOLDINGS)
    kept.write("", 1, TAKEN)
    assert [path.name for path in tmp_path.iterdir()] == ["s1.jsonl"]
    assert stat.S_IMODE((tmp_path / "s1.jsonl").stat().st_mode) == 0o600


def test_a_name_finds_its_newest_and_an_id_comes_before_a_name(tmp_path: Path) -> None:
    kept = Archive(tmp_path, HOLDINGS)
    first, second, third = kept.write("x", 1, TAKEN), kept.write("x", 2, TAKEN), kept.write("s1", 3, TAKEN)
    assert kept.find("x") == second
    assert kept.find("s1") == first
    assert kept.all() == [first, second, third]
    kept.delete(second)
    assert kept.find("x") == first
    with pytest.raises(NoSnapshot, match="there is no snapshot s2"):
        kept.find("s2")


def test_a_number_that_another_process_takes_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = Archive(tmp_path, HOLDINGS), Archive(tmp_path, HOLDINGS)
    theirs.write("theirs", 1, TAKEN)
    monkeypatch.setattr(ours, "_numbers", list)
    made = ours.write("ours", 2, TAKEN)
    assert made.id == "s2"
    assert [one.name for one in theirs.all()] == ["theirs", "ours"]


def test_there_is_room_for_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST", 1)
    kept = Archive(tmp_path, HOLDINGS)
    kept.write("", 1, TAKEN)
    with pytest.raises(ArchiveFull, match="at most 1 snapshots are kept: delete one"):
        kept.write("", 2, TAKEN)


@pytest.mark.parametrize(
    "changed",
    [
        {"name": 1},
        {"at": "noon"},
        {"at": float("nan")},
        {"at": 1e300},
        {"spaces": -1.5},
        {"turns": None},
        {"schemas": [1]},
    ],
)
def test_a_file_with_an_odd_first_line_is_not_listed(tmp_path: Path, changed: dict[str, object]) -> None:
    (tmp_path / "s1.jsonl").write_bytes(json.dumps(json.loads(header()) | changed).encode() + b"\n")
    assert Archive(tmp_path, HOLDINGS).all() == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot be read"),
        (b"[1]\n", "cannot be read"),
        (b"\xff\xfe\n", "cannot be read"),
        (header({"spaces": "0000"}) + b"{}\n", "another version"),
        (header({**HOLDINGS.schemas, "other": "1"}) + b"{}\n", "another version"),
        (b'{"schema":"0001"}\n{}\n', "another version"),
        (header(), "cannot be read"),
        (header() + b'{"threads":[],"strict":{}}\n', "cannot be read"),
        (header() + b'{"table":"spaces","rows":[[1]]}\n{"threads":[],"strict":{}}\n', "cannot be read"),
        (file_of(strict={"a": "maybe"}), "cannot be read"),
        (file_of(threads=[["", 1]]), "cannot be read"),
        (file_of(threads={}), "cannot be read"),
        (file_of(ROWS | {"rooms": {"a": 1}}), "cannot be read: rooms: not a list of rows"),
        (file_of(ROWS | {"rooms": [["a", "r", 1], "abc"]}), "cannot be read: rooms: row 2 does not have 3 values"),
        (file_of(ROWS | {"rooms": [["a", "r", "1"]]}), "cannot be read: rooms: row 1 has a wrong value for saved"),
        (file_of(ROWS | {"rooms": [["a", "r", True]]}), "wrong value for saved"),
        (file_of(ROWS | {"rooms": [["a", "r", 2**63]]}), "wrong value for saved"),
        (file_of(ROWS | {"rooms": [["a", None, 1]]}), "wrong value for room_uid"),
        (
            file_of(ROWS | {"users": [[1, "l", "n", "p", True, 1e300, 0]]}),
            "users: row 1 has a wrong value for created_at",
        ),
        (
            file_of(ROWS | {"users": [[1, "l", "n", "p", True, 0, -1e12]]}),
            "users: row 1 has a wrong value for updated_at",
        ),
        (file_of(ROWS | {"lore": [["a", "not JSON"]]}), "wrong value for content"),
        (file_of(ROWS | {"lore": [["a", '{"greetings":[{"no":"greeting"}]}']]}), "wrong value for content"),
    ],
)
def test_a_file_that_is_none_of_ours_is_told_in_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    kept = Archive(tmp_path, HOLDINGS)
    made = kept.write("", 1, TAKEN)
    (tmp_path / "s1.jsonl").write_bytes(content)
    kept.all()
    with pytest.raises(NoSnapshot, match=reason):
        kept.read(made)
    with pytest.raises(NoSnapshot):
        kept.read(replace(made, id="s9"))
