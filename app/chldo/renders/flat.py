"""v1: one flat frame for texts and voices. PURE."""

from __future__ import annotations

from app.chldo import frames as f
from app.chldo.renders import Frames, Render, failed, voice_length
from app.chldo.steps import Failed, ReplyStep, Step, TokenStep, TurnFacts, VoiceStep


def token_v1(step: TokenStep | ReplyStep, t: TurnFacts) -> Frames:
    return (_message_v1(t, step.text, step.sent_uid, None, None),)


def voice_v1(step: VoiceStep, t: TurnFacts) -> Frames:
    return (_message_v1(t, "", step.sent_uid, step.url, voice_length(step.seconds)),)


def _message_v1(t: TurnFacts, msg: str, sent_uid: str, voice_url: str | None, length: int | float | None) -> f.Frame:
    return f.MessageV1(
        t.room_uid,
        t.client_num,
        t.connection_id,
        msg,
        t.stream_uid,
        sent_uid,
        t.c_at,
        t.return_voice,
        voice_url,
        length,
    )


FLAT: dict[type[Step], Render] = {TokenStep: token_v1, ReplyStep: token_v1, VoiceStep: voice_v1, Failed: failed}
