"""What conversations work with, in one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.malangee.answers import Answers
from app.malangee.script import Script
from app.spaces.people import People
from app.voice.listening import Ears, Hearing
from app.voice.speech import Speaker
from app.voice.transcribing import Transcriber

if TYPE_CHECKING:
    from app.settings import MalangeeSettings


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts. `script`: the file in force; `transcriber`: None where the script says what was heard; `voices`: gives
    the engine's voice for one of the service's; `history`: earlier messages that the agent is told.
    """

    settings: MalangeeSettings
    people: People
    answers: Answers
    speaker: Speaker
    ears: Ears
    transcriber: Transcriber | None
    script: Callable[[], Script]
    voices: Callable[[str | None], str]
    hearing: Hearing
    history: int
