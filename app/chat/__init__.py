"""The terminal client: one conversation with a chldo server, whatever revision it speaks.

`talk` is the whole of it; `app.cli` gives it what the command line says. Nothing here knows the server's own code.
"""

from app.chat.address import ChatMisuse
from app.chat.outcome import Exit, Outcome
from app.chat.screen import Screen, typed_lines
from app.chat.talk import Options, talk

__all__ = ["ChatMisuse", "Exit", "Options", "Outcome", "Screen", "talk", "typed_lines"]
