"""Standard input, output and error of every command, as the shell may leave them: closed, in another encoding, a pipe
whose reader has gone.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final, TextIO

UNREAD: Final = 141
"""Exit code where output cannot be written: that of a program which SIGPIPE ends."""

ESCAPES: Final = "json-escapes"
"""How a stream writes what its encoding does not have: `\\uac00`, which JSON reads back."""

_GONE: Final = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT)
"""What a write to an output fails with that is closed at its other end, or full."""


def run(command: Callable[[], object]) -> int | str | None:
    """Calls `command` with streams that can be used, and gives its exit code (or the text it ends with)."""
    open_streams()
    code: int | str | None = None
    try:
        with unread_output():
            try:
                command()
            except SystemExit as end:
                code = end.code
            sys.stdout.flush()
    except SystemExit as end:
        code = end.code
    return code


def open_streams() -> None:
    """Makes the three streams usable.

    A closed one leads to nowhere from now on; otherwise the next socket would take its descriptor, and what is printed
    would go to a client. What an encoding does not have is escaped on output and replaced on input.
    """
    for descriptor in (0, 1, 2):
        _open_if_closed(descriptor)
    if sys.stdin is None:  # as Python leaves the name of a stream that was closed
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
    for stream, errors in ((sys.stdin, "replace"), (sys.stdout, ESCAPES), (sys.stderr, ESCAPES)):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)
    if isinstance(sys.stdin, io.TextIOWrapper) and codecs.lookup(sys.stdin.encoding).name == "ascii":
        sys.stdin.reconfigure(encoding="utf-8")  # of which ASCII is a part


def typed(text: str) -> str:
    """A text of the command line, also where Python could not read it in the locale (LC_ALL=C): as UTF-8 then."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@contextlib.contextmanager
def unread_output() -> Iterator[None]:
    """Ends the program with exit code 141 where its output cannot be written; without a word if a pipe's reader has
    gone, as other programs do.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _GONE or error.filename is not None:
            raise
        if error.errno != errno.EPIPE:
            with contextlib.suppress(OSError):
                sys.stderr.write(f"chldo-emulator: cannot write: {error.strerror}\n")
        leave_unwritten(sys.stdout, sys.stderr)
        raise SystemExit(UNREAD) from None


def write_document(output: TextIO, text: str) -> None:
    """Writes what programs read (JSON, XML, fixtures): in UTF-8, whatever encoding the terminal has."""
    output.flush()
    under = getattr(output, "buffer", None)
    if under is None:
        output.write(text)
    else:
        under.write(text.encode("utf-8", ESCAPES))
    output.flush()


def leave_unwritten(*streams: TextIO) -> None:
    """What the streams still hold goes to nowhere, so that the interpreter's last flush does not fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
            continue
        with contextlib.suppress(OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def take_byte_order_mark(stream: TextIO) -> None:
    """Reads on after the byte order mark with which a Windows shell or editor may begin what it pipes, in the encoding
    that the mark stands for. Call it before the first read; it waits for the first bytes.
    """
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(stream.buffer, io.BufferedReader):
        return
    begins = stream.buffer.peek(4)
    if begins.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        stream.reconfigure(encoding="utf-16")
    elif begins.startswith(codecs.BOM_UTF8[: len(begins)]):
        stream.reconfigure(encoding="utf-8-sig")


def when_input_ends(call: Callable[[], object]) -> bool:
    """Calls from a thread when the other end of standard input is gone, however it went. False, and nothing happens, if
    there is no other end: a file, /dev/null or a closed descriptor has none.
    """
    kind = os.fstat(0).st_mode
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind) or os.isatty(0)):
        return False

    def read() -> None:
        # Not through sys.stdin: a thread that waits in it keeps the interpreter from ending.
        with contextlib.suppress(OSError):  # a terminal that has gone away
            while os.read(0, 4096):
                pass
        call()

    threading.Thread(target=read, name="input", daemon=True).start()
    return True


def _open_if_closed(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        opened = os.open(os.devnull, os.O_RDONLY if descriptor == 0 else os.O_WRONLY)
        if opened != descriptor:
            os.dup2(opened, descriptor)
            os.close(opened)
        os.set_inheritable(descriptor, True)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs), error.end


codecs.register_error(ESCAPES, _escape)
