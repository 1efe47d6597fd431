"""What the person sees, and types."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TextIO

from app.standard_streams import leave_unwritten, take_byte_order_mark

PROMPT = "> "
QUIT = "/quit"

_DIM = "\x1b[2m", "\x1b[0m"
_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_SECRET_LENGTH = 8


class Screen:
    """The answer on standard output, everything about it on standard error.

    `frames`: standard output has the frames in place of the answer. `quiet`: no statuses. `secret` is never shown.
    A status has a line of its own, also where both go to the same place; on a terminal it is dim (unless NO_COLOR is
    set), and control characters are left out. `gone` says why nothing can be shown any more, None while it can.
    """

    def __init__(
        self, out: TextIO, err: TextIO, *, secret: str = "", frames: bool = False, quiet: bool = False
    ) -> None:
        self._out, self._err = out, err
        self._secret = secret if len(secret) >= _SECRET_LENGTH else ""
        self.frames = frames
        self._quiet = quiet or frames
        self._dim = _DIM if err.isatty() and not os.environ.get("NO_COLOR") else ("", "")
        self._terminal = out.isatty()
        self._shared = _same_place(out, err)
        self._mid_line = False
        self.gone: OSError | None = None

    def framed(self, raw: str) -> None:
        """One frame as one line of JSON; the server's own spelling if that is one line already."""
        if not self.frames:
            return
        try:
            parsed = json.loads(raw)
        except (ValueError, RecursionError):
            line = json.dumps(raw, ensure_ascii=False)
        else:
            broken = "\n" in raw or "\r" in raw
            line = json.dumps(parsed, ensure_ascii=False, separators=(",", ":")) if broken else raw
        self._put(self._out, line + "\n")

    def said(self, text: str) -> None:
        """A piece of the answer, at once."""
        if self.frames:
            return
        if self._terminal:
            text = text.translate(_CONTROLS)
        if self._shared and not self._mid_line:
            text = text.lstrip(" ")
        if text:
            self._mid_line = not text.endswith("\n")  # first: Ctrl-C may come as soon as the text is out
            self._put(self._out, text)

    def told(self, status: str, text: str = "") -> None:
        """A status line."""
        if not self._quiet:
            self._note(f"{self._dim[0]}{_one_line(f'{status:<12} {text}')}{self._dim[1]}")

    def offered(self, number: int, text: str, tone: str = "") -> None:
        """A choice of what to say next; `quiet` shows it too, as it was asked for."""
        if not self.frames:
            self._note(_one_line(f"{number:>2}. {text}{f' ({tone})' if tone else ''}"))

    def wronged(self, text: str) -> None:
        """What the server calls an error."""
        self._note(_one_line(f"error: {text}"))

    def warned(self, text: str) -> None:
        """What the program itself has to say."""
        self._note(_one_line(f"chldo-emulator: {text}"))

    def ended(self) -> None:
        """Ends the answer's line."""
        if self._mid_line:
            self._put(self._out, "\n")
            self._mid_line = False

    def left(self) -> None:
        """Ends the line that the prompt, or ^C, stands on."""
        self.ended()
        if self._err.isatty():
            self._put(self._err, "\n")

    def close(self) -> None:
        """Spares the interpreter a last flush into a pipe that nobody reads."""
        if self.gone is not None:
            leave_unwritten(self._out, self._err)

    def ask(self, stdin: TextIO) -> str:
        """One line from `stdin` with its end, "" at the end of input; on a terminal after a prompt."""
        if not stdin.isatty():
            return stdin.readline()
        if self._terminal and not self.frames and stdin is sys.stdin:
            with suppress(ImportError):
                import readline  # noqa: F401  (gives `input` its line editing)
            try:
                return input(PROMPT) + "\n"
            except EOFError:
                return ""
        self._put(self._err, PROMPT)
        return stdin.readline()

    def _note(self, line: str) -> None:
        if self._shared and self._mid_line:
            self._put(self._err, "\n")
            self._mid_line = False
        self._put(self._err, line + "\n")

    def _put(self, stream: TextIO, text: str) -> None:
        if self._secret:
            text = text.replace(self._secret, "***")
        try:
            stream.write(text)
            stream.flush()
        except OSError as error:
            self.gone = error


def _same_place(out: TextIO, err: TextIO) -> bool:
    try:
        return os.path.sameopenfile(out.fileno(), err.fileno())
    except (OSError, ValueError):
        return False


def _one_line(text: str) -> str:
    return " ".join(text.split("\n")).translate(_CONTROLS).rstrip()


def typed_lines(stdin: TextIO, screen: Screen) -> Iterator[str]:
    """What is typed (or piped), line by line, until the end of input or /quit. Empty lines are left out."""
    if not stdin.isatty():
        take_byte_order_mark(stdin)
    while line := screen.ask(stdin):
        text = line.strip()
        if text == QUIT:
            return
        if text:
            yield text
    if stdin.isatty():
        screen.left()
