"""Turns on the screen, one after the other."""

from __future__ import annotations

from app.chat.answer import Offered, Said, Told, Wrong
from app.chat.conversation import Conversation
from app.chat.loop import LoopThread
from app.chat.outcome import Exit, Outcome
from app.chat.screen import Screen


class Dialogue:
    """Runs turns of one conversation and shows what comes back.

    It asks the loop for one frame after the other: a slow screen slows the socket, and nothing piles up between them.
    """

    def __init__(self, loop: LoopThread, conversation: Conversation, screen: Screen) -> None:
        self._loop = loop
        self._conversation = conversation
        self._screen = screen
        self._offered: list[Offered] = []

    def turn(self, request: str) -> Exit:
        """One turn, until its voices are saved. What it offers to say next is listed below it."""
        self._offered = []
        outcome = self._follow(request)
        self._screen.ended()
        for number, choice in enumerate(self._offered, 1):
            self._screen.offered(number, choice.text, choice.tone)
        for failure in self._loop.run(self._conversation.settle()):
            self._screen.warned(failure)
        if outcome.reason:
            self._screen.warned(outcome.reason)
        return outcome.code

    def meant(self, typed: str) -> str:
        """The choice of the last turn that has this number; what was typed, if none has."""
        numbered = {str(number): choice.text for number, choice in enumerate(self._offered, 1)}
        return numbered.get(typed, typed)

    def _follow(self, request: str) -> Outcome:
        if failure := self._loop.run(self._conversation.ask(request)):
            return failure
        while not isinstance(heard := self._loop.run(self._conversation.hear()), Outcome):
            self._screen.framed(heard.raw)
            for event in heard.events:
                match event:
                    case Said(text):
                        self._screen.said(text)
                    case Told(status, text):
                        self._screen.told(status, text)
                    case Offered():
                        self._offered.append(event)
                    case Wrong(text):
                        self._screen.wronged(text)
            if gone := self._screen.gone:
                unheard = isinstance(gone, BrokenPipeError)
                return Outcome(Exit.UNREAD, "" if unheard else f"cannot write: {gone.strerror}")
        return heard
