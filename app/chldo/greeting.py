"""The greeting action: START, the greeting, its voice, END; no graph, no history, nothing saved.

START, voice_ready and END each carry a `cAt` of their own (spec section 4). The voice file is `greeting_<n>.mp3`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from app.chldo.frames import Frame
from app.chldo.memories import MemoryShelf
from app.chldo.requests import GREETING_UNKNOWN, Greet, Refusal
from app.chldo.revisions import Revision
from app.chldo.steps import (
    Caller,
    Ended,
    Greeted,
    GreetingStarted,
    GreetingVoice,
    Step,
    TurnFacts,
    TurnRules,
    epoch_text,
)
from app.chldo.voices import Voices
from app.spaces.models import Greeting, Space


class Greetings:
    """Greets. One for the whole program."""

    def __init__(self, *, voices: Voices, memories: MemoryShelf, rules: TurnRules) -> None:
        self._voices = voices
        self._memories = memories
        self._rules = rules

    def find(self, ask: Greet, space: Space) -> Greeting | Refusal:
        """The space's greeting of that number."""
        for greeting in space.greetings:
            if greeting.number == ask.number:
                return greeting
        return Refusal(GREETING_UNKNOWN)

    async def run(
        self, ask: Greet, greeting: Greeting, space: Space, revision: Revision, caller: Caller
    ) -> AsyncGenerator[Frame, None]:
        """The frames of one greeting, in order."""
        strand = caller.exchange.strand
        facts = TurnFacts(
            connection_id=caller.connection_id,
            room_uid=ask.room_uid,
            stream_uid=strand.ids.base62(25),
            c_at=epoch_text(strand.clock.time()),
            return_voice=ask.return_voice,
            is_stream=True,
            scene_number=revision.default_scene if ask.scene_number is None else ask.scene_number,
            som=self._rules.som,
            eom=self._rules.eom,
            client_num=caller.client_num,
        )

        def shown(step: Step) -> tuple[Frame, ...]:
            return revision.render(step, facts)

        for frame in (*shown(GreetingStarted()), *shown(Greeted(greeting.text))):
            yield frame
        speaks = space.return_voice if ask.return_voice is None else ask.return_voice
        if speaks:
            voice = await self._voice(ask, greeting, space, revision, caller)
            if voice is not None:
                for frame in shown(voice):
                    yield frame
        facts.c_at = epoch_text(strand.clock.time())
        for frame in shown(Ended()):
            yield frame

    async def _voice(
        self, ask: Greet, greeting: Greeting, space: Space, revision: Revision, caller: Caller
    ) -> GreetingVoice | None:
        strand = caller.exchange.strand
        began = epoch_text(strand.clock.time())
        spoken = await self._voices.speak(
            greeting.text,
            room_uid=ask.room_uid,
            name=f"greeting_{greeting.number}",
            language=ask.language or space.language,
            life=self._rules.url_life or revision.voice_life,
            caller=caller,
        )
        if spoken is None:
            return None
        listening = (await self._memories.of(space)).book.detector()
        heard = [*listening.feed(greeting.text), *listening.close()]
        return GreetingVoice(
            text=greeting.text,
            sent_uid=strand.ids.base62(revision.sent_uid_length or 28),
            url=spoken.url,
            seconds=spoken.seconds,
            c_at=began,
            org_id=space.org_id,
            questioner=ask.questioner,
            hotword_uids=[hit.uid for hit in heard],
        )
