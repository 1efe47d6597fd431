"""Voices and languages that fixture files name and that cannot be had: each is spoken in tones, or like another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator

from app.emulation.fixtures import Fixtures
from app.emulation.lint import Remark
from app.malangee.script import FILE, Script
from app.voice.engines import DEFAULT
from app.voice.failures import EngineFault
from app.voice.languages import unspoken
from app.voice.process import Job, Worker

BOOT_SECONDS = 20.0


def voice_remarks(fixtures: Fixtures) -> Iterator[Remark]:
    """A warning for each place of the files. Blocks: a process of the default engine is started, if voices of it are
    named.
    """
    for source, language in fixtures.languages:
        if (why := unspoken(language)) is not None:
            file, _, line = source.rpartition(":")
            yield Remark("warning", file, int(line), "language", why)
    script = fixtures.wires.get(FILE)
    if not isinstance(script, Script):
        return
    lacking = asyncio.run(_lacking(named.name for named in script.voices_named if named.engine))
    for named, why in script.missing_voices(lacking):
        yield Remark("warning", FILE, named.line, named.key, why)


async def _lacking(voices: Iterable[str]) -> dict[str, str]:
    """Which voices the engine has not, and why."""
    wanted = list(dict.fromkeys(voices))
    if not wanted:
        return {}
    try:
        worker = await Worker.boot(DEFAULT, BOOT_SECONDS)
    except EngineFault as fault:
        return dict.fromkeys(wanted, f"it cannot be tried, the engine {DEFAULT} does not start ({fault})")
    try:
        told: dict[str, str] = json.loads(await worker.do(Job({"do": "check"}, json.dumps(wanted).encode())))
    finally:
        await worker.end()
    return told
