"""Files that keep a signing key."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from app.emulation.key_file import KeyFileError, kept_key


def is_key(key: bytes) -> bool:
    return key.startswith(b"key")


def test_a_key_is_made_once_for_its_owner_only_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "k"
    assert kept_key(file, lambda: b"key 1", fits=is_key) == b"key 1"
    assert kept_key(file, lambda: b"key 2", fits=is_key) == b"key 1"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["k"]


def test_those_that_start_at_once_get_the_same_key(tmp_path: Path) -> None:
    numbers = count()
    with ThreadPoolExecutor(8) as pool:
        keys = {*pool.map(lambda _: kept_key(tmp_path / "k", lambda: b"key %d" % next(numbers), fits=is_key), range(8))}
    assert len(keys) == 1


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"something else"])
def test_a_file_that_holds_no_key_is_named_and_stays(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "k"
    file.write_bytes(content)
    with pytest.raises(KeyFileError, match=rf"{file} holds no key of this program; delete it"):
        kept_key(file, lambda: b"key", fits=is_key)
    assert file.read_bytes() == content


def test_a_key_that_cannot_be_read_or_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=rf"the key file {tmp_path} cannot be used: Is a directory"):
        kept_key(tmp_path, lambda: b"key", fits=is_key)
    missing = tmp_path / "gone" / "k"
    with pytest.raises(KeyFileError, match=rf"the key file {missing} cannot be used: No such file or directory"):
        kept_key(missing, lambda: b"key", fits=is_key)
