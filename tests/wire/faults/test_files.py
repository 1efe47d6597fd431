"""Faults and profiles in the fixtures folder: in force from the start, by name, and followed while the server runs."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from app.settings import shipped
from tests.live import DEMO_KEY, PATIENCE, Json, LiveServer, Peer, sendmsg, write_fixtures
from tests.wire.faults.stage import REPLIES, TOKENS, Faulty, asks, room, said, types, whole
from tests.wire.test_gateway import until
from tests.wire.test_live_fixtures import REFUSED, TAKEN, listening

ROOT = Path(__file__).parent.parent.parent.parent
SHIPPED = ("bad-day", "flaky-mobile", "slow-llm")
MARKED = "faults: [{fault: edit, when: {frame: START}, set: {msg: %s}}]"


def folder(tmp_path: Path, **profiles: str) -> Path:
    made = write_fixtures(tmp_path / "fixtures", replies=REPLIES, space={"credit": 100_000})
    (made / "profiles").mkdir()
    for name, text in profiles.items():
        (made / "profiles" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return made


def serving(tmp_path: Path, fixtures: Path, profile: str | None = None) -> LiveServer:
    return LiveServer(tmp_path / "data", fixtures=fixtures, profile=profile, voice={"engine": "tone", "workers": 1})


async def mark(server: LiveServer, name: str) -> str:
    """What the first frame of a turn says."""
    async with room(server, name) as peer:
        first, *_ = await peer.turn(asks("세어", name))
    return str(first["msg"])


async def test_the_rules_of_the_file_are_in_force_from_the_start(tmp_path: Path, name: str) -> None:
    fixtures = folder(tmp_path)
    (fixtures / "faults.yaml").write_text(MARKED % "처음부터", encoding="utf-8")
    with serving(tmp_path, fixtures) as server:
        assert await mark(server, name) == "처음부터"
        (told,) = await Faulty(server).told(name, 1)
    assert told["source"] == "fixtures:faults.yaml:1"


async def test_profiles_are_in_force_where_the_setting_names_them(tmp_path: Path, name: str) -> None:
    swapped = "about: 둘\nfaults:\n  - {fault: end-twice}"
    with serving(tmp_path, folder(tmp_path, one=MARKED % "하나", two=swapped), "one, two") as server:
        faulty = Faulty(server)
        async with room(server, name) as peer:
            frames = await whole(faulty, peer, asks("세어", name))
        assert (frames[0]["msg"], types(frames)[-2:]) == ("하나", ["END", "END"])
        assert [one["source"] for one in await faulty.told(name, 2)] == [
            "profile:one:profiles/one.yaml:1",
            "profile:two:profiles/two.yaml:3",
        ]
        assert faulty.faults.used == ["one", "two"]


async def test_a_profile_that_is_not_there_keeps_the_server_from_starting(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="cannot start: profile: no 'three'; known: one, two"):
        serving(tmp_path, folder(tmp_path, one=MARKED % "a", two=MARKED % "b"), "one,three").__enter__()


async def test_a_profile_comes_and_goes_while_sockets_are_open(tmp_path: Path, name: str) -> None:
    with serving(tmp_path, folder(tmp_path, one=MARKED % "하나")) as server:
        faults = server.program.stage.faults

        async def call(change: Callable[[], object]) -> None:
            change()

        async with room(server, name) as peer:
            assert (await peer.turn(asks("세어", name)))[0]["msg"] == "<SOM>"
            await server.run(call(lambda: faults.use("one")))
            assert (await peer.turn(asks("세어", name)))[0]["msg"] == "하나"
            await server.run(call(lambda: faults.clear("profile:one")))
            assert (await peer.turn(asks("세어", name)))[0]["msg"] == "<SOM>"


async def test_a_change_of_faults_and_profiles_is_taken_over_and_a_bad_one_is_not(tmp_path: Path, name: str) -> None:
    fixtures = folder(tmp_path, one=MARKED % "하나")
    file, profile = fixtures / "faults.yaml", fixtures / "profiles" / "one.yaml"
    with listening() as told, serving(tmp_path, fixtures, "one") as server:
        faulty = Faulty(server)
        await faulty.add({"fault": "end-twice", "count": 1})
        assert await mark(server, name) == "하나"
        file.write_text("faults: [{fault: edit, when: {frame: END}, set: {msg: 끝}}]", encoding="utf-8")
        await told.until(TAKEN)
        profile.write_text(MARKED % "둘", encoding="utf-8")
        await told.until(TAKEN)
        async with room(server, name) as peer:
            frames = await peer.turn(asks("세어", name))
        assert (frames[0]["msg"], frames[-1]["msg"]) == ("둘", "끝")
        profile.write_text("faults: [{fault: wobble}]", encoding="utf-8")
        await told.until(REFUSED)
        await told.until("profiles/one.yaml:1: fault: expected one of refuse")
        assert await mark(server, name) == "둘"
        assert "profiles/one.yaml:1: fault:" in server.engine.fixtures.problem
        profile.unlink()
        await told.until(TAKEN)
        assert await mark(server, name) == "<SOM>"
        assert list(faulty.faults.profiles) == []
        file.unlink()
        await told.until(TAKEN)
        assert [live.rule.kind.name for live in faulty.faults] == ["end-twice"], "what was added at runtime stays"


async def test_a_folder_of_profiles_that_comes_later_is_noticed(tmp_path: Path, name: str) -> None:
    fixtures = folder(tmp_path)
    (fixtures / "profiles").rmdir()
    with listening() as told, serving(tmp_path, fixtures) as server:
        (fixtures / "profiles").mkdir()
        (fixtures / "profiles" / "late.yml").write_text(MARKED % "늦게", encoding="utf-8")
        await told.until(TAKEN)
        assert list(server.program.stage.faults.profiles) == ["late"]


async def test_a_store_that_is_full_does_not_keep_its_rule_from_being_taken_out(tmp_path: Path, name: str) -> None:
    fixtures = folder(tmp_path)
    (fixtures / "faults.yaml").write_text("faults: [{fault: store-full}]", encoding="utf-8")
    with listening() as told, serving(tmp_path, fixtures) as server:
        async with room(server, name) as peer:
            assert types(await peer.turn(asks("세어", name)))[-3:] == ["error", "think", "END"]
            (fixtures / "faults.yaml").write_text("faults: []", encoding="utf-8")
            await told.until(TAKEN)
            assert said(await peer.turn(asks("세어", name))) == "".join(TOKENS)


def test_the_shipped_profiles_are_as_documented(tmp_path: Path) -> None:
    files = sorted(path.stem for path in (shipped("fixtures") / "profiles").iterdir())
    assert files == list(SHIPPED)


@pytest.mark.parametrize("profile", SHIPPED)
async def test_a_shipped_profile_makes_trouble_and_turns_come_through(tmp_path: Path, profile: str) -> None:
    """Seeded, so that its pauses take no time and the same happens each time: every kind that ends a turn or a socket
    is survived by a client that tries again.
    """
    space: Json = {"credit": 10**9, "credit_per_turn": 1}
    fixtures = write_fixtures(tmp_path / "fixtures", replies=REPLIES, space=space)
    (fixtures / "profiles").symlink_to(shipped("fixtures") / "profiles")
    settings: dict[str, Any] = {
        "v3": {"turn_timeout": 1.0},
        "voice": {"engine": "tone", "workers": 1},
        "seed": 5,
        "watch": False,
    }
    with LiveServer(tmp_path / "data", fixtures=fixtures, profile=profile, **settings) as server:
        faulty = Faulty(server)
        await until(lambda: server.engine.speaker.workers)
        before = await faulty.tasks()
        whole_turns = sum(await asyncio.gather(*(_persistent(server, f"phone{number}") for number in range(4))))
        struck = {kind for number in range(4) for kind in await faulty.strikes(f"phone{number}")}
        await faulty.quiet(before)
    assert whole_turns >= 4
    assert len(struck) >= 2, struck


async def _persistent(server: LiveServer, name: str) -> int:
    """How many of so many turns have come through whole to a client that reconnects."""
    good = 0
    for _ in range(8):
        try:
            async with connect(f"{server.ws}/v3/?room_uid={name}&user_uid=u", max_size=None) as socket:
                peer = Peer(socket)
                await peer.send(sendmsg("셋", room_uid=name, return_voice=1))
                frames: list[Json] = []
                async with asyncio.timeout(3):
                    while not frames or types(frames)[-1] != "END":
                        frames.append(await peer.receive())
                good += "error" not in types(frames)
        except (InvalidStatus, OSError, ValueError, TimeoutError, EOFError):
            continue
        except Exception as error:
            if not type(error).__name__.startswith("ConnectionClosed"):
                raise
    return good


def test_serve_takes_a_profile_on_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "app.cli", "serve", "--port", "0", "--data", str(tmp_path), "--profile"]
    wrong = subprocess.run([*command, "nope"], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert wrong.returncode == 2
    assert wrong.stderr.splitlines()[-1] == (
        f"chldo-emulator: cannot start: profile: no 'nope'; known: {', '.join(SHIPPED)}"
    )
    server = subprocess.Popen(
        [*command, "slow-llm"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    assert server.stderr is not None
    with server, server.stdout as shown, server.stderr as log:
        address = next(found[1] for line in shown if (found := re.search(r"(ws://\S+/v3/)\?", line)))
        assert any("ready after" in line for line in log)
        assert asyncio.run(_slow_first_token(address)) >= 2.5
        server.send_signal(signal.SIGTERM)
        log.read()
    assert server.returncode == 0


async def _slow_first_token(address: str) -> float:
    """Seconds to the first token, of the first turn that has one."""
    loop = asyncio.get_running_loop()
    for _ in range(20):
        began = loop.time()
        try:
            async with connect(f"{address}?room_uid=r&user_uid=u") as socket:
                peer = Peer(socket)
                await peer.send(sendmsg("안녕하세요", api_key=DEMO_KEY, room_uid="r"))
                while True:
                    if (await peer.receive()).get("status") == "stream":
                        return loop.time() - began
        except (InvalidStatus, OSError):
            continue
        except Exception as error:
            if not type(error).__name__.startswith("ConnectionClosed"):
                raise
    raise AssertionError("no turn came through")
