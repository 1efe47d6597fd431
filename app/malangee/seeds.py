"""Brings what `malangee.yaml` declares into the store. What is there already stays as it is."""

from __future__ import annotations

from app.malangee.script import ScenarioSeed, Script, SessionSeed
from app.spaces.passwords import Passwords
from app.spaces.people import Message, People, SessionRow, Taken, Topic


async def seed(script: Script, people: People, passwords: Passwords, *, at: float) -> None:
    """Users, scenarios and sessions that are not there yet. `at`: now, in epoch seconds."""
    ids: dict[str, int] = {}
    for one in script.users:
        user = await people.user(one.login_id)
        if user is None:
            kept = await passwords.hash(one.password)
            try:
                user = await people.add_user(one.login_id, one.nickname, kept, active=one.is_active, at=at)
            except Taken:
                continue  # its nickname belongs to somebody who signed up
        ids[one.login_id] = user.id
    topics = {topic.id: topic for topic in script.scenarios}
    for topic in script.scenarios:
        await people.add_topic(_topic(topic, at))
    for session in script.sessions:
        about = topics.get(session.scenario or "")
        owner = None if session.user is None else ids.get(session.user)
        await people.add_session(*_session(session, about, owner, at))


def _topic(one: ScenarioSeed, at: float) -> Topic:
    return Topic(one.id, one.title, one.description, one.place, one.partner, one.goal, one.level, one.category, at)


def _session(
    one: SessionSeed, about: ScenarioSeed | None, owner: int | None, at: float
) -> tuple[SessionRow, list[Message]]:
    speech = sum(message.duration_sec for message in one.messages if message.role == "user")
    total = sum(message.duration_sec for message in one.messages)
    row = SessionRow(
        uid=one.session_id,
        user_id=owner,
        title=one.title or (about.title if about is not None else "Conversation"),
        started_at=at - total,
        ended_at=at,
        created_at=at,
        updated_at=at,
        total_seconds=total,
        speech_seconds=speech,
        scenario_id=one.scenario,
        place=one.place or (about.place if about is not None else None),
        partner=one.partner or (about.partner if about is not None else None),
        goal=one.goal or (about.goal if about is not None else None),
        deleted=one.deleted,
        voice=one.voice,
    )
    said = [Message(message.role, message.content, at, message.duration_sec) for message in one.messages]
    return row, said
