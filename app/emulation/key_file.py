"""Files that keep a signing key: made on first start, for their owner only, once for all who start together. Blocks."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


class KeyFileError(Exception):
    """A key file that cannot be used; the text is one line that names it and never holds any of the key."""


def kept_key(file: Path, make: Callable[[], bytes], *, fits: Callable[[bytes], bool]) -> bytes:
    """The key in `file`, which is made where it is missing. `fits`: whether something is such a key. Raises
    `KeyFileError`.
    """
    try:
        if not file.exists():
            _write_once(file, make())
        key = file.read_bytes().strip()
    except OSError as error:
        raise KeyFileError(f"the key file {file} cannot be used: {error.strerror or error}") from error
    if not fits(key):
        raise KeyFileError(f"the key file {file} holds no key of this program; delete it and a new one is made")
    return key


def _write_once(file: Path, content: bytes) -> None:
    """Readable by the owner only, and whole or not at all; of two processes that try, the first wins."""
    target, part = tempfile.mkstemp(prefix=f"{file.name}.", suffix=".part", dir=file.parent)  # mode 0600
    try:
        with os.fdopen(target, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(target)
        try:
            os.link(part, file)
        except FileExistsError:
            return
        except OSError:  # no hard links on this file system
            Path(part).replace(file)
    finally:
        Path(part).unlink(missing_ok=True)
