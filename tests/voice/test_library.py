from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.emulation.determinism import VirtualClock
from app.emulation.key_file import KeyFileError
from app.voice.library import Denied, Found, Missing, VoiceLibrary

ROOM, NAME, LIFE = "51VPKp3F0yPX", "PlzfrQZfQp6QLQoJtvgvNd1WwcVi", 3_600.0
ADDRESS = re.compile(
    r"https://voice\.example/room_uid_voice/51VPKp3F0yPX/PlzfrQZfQp6QLQoJtvgvNd1WwcVi\.mp3"
    r"\?Expires=\d{10}&Signature=[A-Za-z0-9~-]{341}[AQgw]__&Key-Pair-Id=KX12RGNKWPA4Y"
)
ODD_NAMES = [
    "../../../etc/passwd",
    "..",
    ".",
    "",
    "a/b",
    "a\\b",
    "a\x00b",
    "한글 방",
    "x" * 5_000,
    "half\ud800",
    ".signing-key.pem",
    "~" + "0" * 64,
    "%2e%2e%2f",
    "a b?c#d&e=f",
    "CON",
    "room.mp3",
    "--",
]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def library(tmp_path: Path, clock: VirtualClock) -> AsyncIterator[VoiceLibrary]:
    opened = VoiceLibrary(tmp_path / "voices", clock=clock)
    await opened.open()
    yield opened
    await opened.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def parts(address: str) -> tuple[str, str, dict[str, str]]:
    """Room, name and query, as a web server reads them from an address."""
    split = urlsplit(address)
    _, prefix, room, file = split.path.split("/")
    assert prefix == "room_uid_voice"
    return unquote(room), unquote(file).removesuffix(".mp3"), dict(parse_qsl(split.query))


async def stored(library: VoiceLibrary, room: str = ROOM, name: str = NAME, audio: bytes = b"sound") -> str:
    expires = await library.put(room, name, audio, life=LIFE)
    return await library.url("https://voice.example/", room, name, expires)


async def test_an_address_has_the_documented_form_and_opens_its_voice(
    library: VoiceLibrary, clock: VirtualClock, tmp_path: Path
) -> None:
    address = await stored(library)
    assert ADDRESS.fullmatch(address)
    found = library.check(*parts(address))
    expires = int(clock.time() + LIFE)
    assert found == Found(tmp_path / "voices" / ROOM / f"{NAME}.{expires}.mp3", 5, expires)
    assert isinstance(found, Found)
    assert found.path.read_bytes() == b"sound"


async def test_no_part_of_an_address_can_be_changed(library: VoiceLibrary) -> None:
    room, name, query = parts(await stored(library))
    await stored(library, room="other", name="other")
    signature = query["Signature"]
    tampered = [
        ("other", name, query),
        (room, "other", query),
        (room, name, {**query, "Expires": str(int(query["Expires"]) + 1)}),
        (room, name, {**query, "Expires": "0" + query["Expires"]}),
        (room, name, {**query, "Expires": query["Expires"] + " "}),
        (room, name, {**query, "Expires": "-1"}),
        (room, name, {**query, "Expires": "9" * 400}),
        (room, name, {**query, "Key-Pair-Id": "KX12RGNKWPA4Z"}),
        (room, name, {**query, "Signature": signature[:-1]}),
        (room, name, {**query, "Signature": signature + "_"}),
        (room, name, {**query, "Signature": "A" * 342 + "__"}),
        (room, name, {**query, "Signature": "é" * 344}),
        *((room, name, {key: value for key, value in query.items() if key != gone}) for gone in query),
    ]
    assert [library.check(*case) for case in tampered if not isinstance(library.check(*case), Denied)] == []


async def test_no_character_of_a_signature_can_be_changed(library: VoiceLibrary) -> None:
    room, name, query = parts(await stored(library))
    signature = query["Signature"]
    for place in range(len(signature)):
        other = "B" if signature[place] != "B" else "C"
        changed = signature[:place] + other + signature[place + 1 :]
        assert isinstance(library.check(room, name, {**query, "Signature": changed}), Denied), place


async def test_a_signature_of_another_key_is_denied(library: VoiceLibrary, tmp_path: Path, clock: VirtualClock) -> None:
    other = VoiceLibrary(tmp_path / "other", clock=clock)
    await other.open()
    await stored(library)
    assert isinstance(library.check(*parts(await stored(other))), Denied)


async def test_an_address_dies_at_the_second_it_says(library: VoiceLibrary, clock: VirtualClock) -> None:
    asked = parts(await stored(library))
    await clock.sleep(LIFE - 1)
    assert isinstance(library.check(*asked), Found)
    await clock.sleep(1)
    assert library.check(*asked) == Denied("expired")


async def test_a_good_address_of_no_voice_is_missing(library: VoiceLibrary, clock: VirtualClock) -> None:
    address = await library.url("http://x", ROOM, "nothing", int(clock.time()) + 60)
    assert library.check(*parts(address)) == Missing()


async def test_without_a_query_nobody_learns_what_exists(library: VoiceLibrary) -> None:
    await stored(library)
    assert library.check(ROOM, NAME, {}) == library.check(ROOM, "nothing", {})


@pytest.mark.parametrize("odd", ODD_NAMES)
async def test_any_room_and_name_works_and_stays_in_its_folder(library: VoiceLibrary, tmp_path: Path, odd: str) -> None:
    for room, name in ((odd, NAME), (ROOM, odd), (odd, odd)):
        audio = f"{room}|{name}".encode("utf-8", "replace")
        found = library.check(*parts(await stored(library, room, name, audio)))
        assert isinstance(found, Found)
        assert found.path.read_bytes() == audio
        assert found.path.resolve().relative_to((tmp_path / "voices").resolve()).parts[2:] == ()
    assert names(tmp_path) == ["voices"]


async def test_odd_rooms_do_not_meet(library: VoiceLibrary) -> None:
    addresses = [await stored(library, room, NAME, room.encode("utf-8", "replace")) for room in ODD_NAMES]
    opened = [library.check(*parts(address)) for address in addresses]
    assert len({found.path for found in opened if isinstance(found, Found)}) == len(ODD_NAMES)


@given(st.text(st.characters(exclude_categories=[])), st.text(), st.dictionaries(st.text(), st.text()))
def test_no_request_crashes_the_check(room: str, name: str, query: dict[str, str]) -> None:
    library = VoiceLibrary(Path("nowhere"), clock=VirtualClock())
    assert isinstance(library.check(room, name, query), Denied)


async def test_the_key_is_private_and_outlives_the_run(
    library: VoiceLibrary, tmp_path: Path, clock: VirtualClock
) -> None:
    key = tmp_path / "voices" / ".signing-key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    address = await stored(library)
    again = VoiceLibrary(tmp_path / "voices", clock=clock)
    await again.open()
    assert isinstance(again.check(*parts(address)), Found)
    assert names(tmp_path / "voices") == [key.name, ROOM]


async def test_those_that_start_at_once_share_one_key(tmp_path: Path, clock: VirtualClock) -> None:
    libraries = [VoiceLibrary(tmp_path, clock=clock) for _ in range(6)]
    await asyncio.gather(*(library.open() for library in libraries))
    asked = parts(await stored(libraries[0]))
    assert {type(library.check(*asked)) for library in libraries} == {Found}


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
async def test_a_damaged_key_is_said_not_replaced(tmp_path: Path, clock: VirtualClock, content: bytes) -> None:
    (tmp_path / ".signing-key.pem").write_bytes(content)
    with pytest.raises(KeyFileError, match=re.escape(str(tmp_path / ".signing-key.pem"))):
        await VoiceLibrary(tmp_path, clock=clock).open()
    assert (tmp_path / ".signing-key.pem").read_bytes() == content


async def test_the_sweep_deletes_what_expired_and_nothing_else(
    library: VoiceLibrary, tmp_path: Path, clock: VirtualClock
) -> None:
    for room, life in (("short", 10.0), ("mixed", 10.0), ("mixed2", 100.0)):
        await library.put(room.removesuffix("2"), room, b"x", life=life)
    (tmp_path / "voices" / "mixed" / "notes.txt").write_text("somebody's own")
    os.utime(tmp_path / "voices" / "mixed" / "notes.txt", (0, 0))
    assert await library.sweep() == 0
    await clock.sleep(11)
    assert await library.sweep() == 2
    left = {str(path.relative_to(tmp_path / "voices")) for path in (tmp_path / "voices").rglob("*")}
    assert left == {".signing-key.pem", "mixed", f"mixed/mixed2.{round(clock.time()) + 89}.mp3", "mixed/notes.txt"}


async def test_the_sweep_knows_voices_of_an_earlier_run(
    library: VoiceLibrary, tmp_path: Path, clock: VirtualClock
) -> None:
    await stored(library)
    await library.close()
    await clock.sleep(LIFE + 1)
    again = VoiceLibrary(tmp_path / "voices", clock=clock)
    await again.open()
    assert await again.sweep() == 1
    assert not (tmp_path / "voices" / ROOM).exists()


async def test_the_sweep_clears_what_a_crash_left_half_written(library: VoiceLibrary, tmp_path: Path) -> None:
    room = tmp_path / "voices" / ROOM
    room.mkdir()
    (room / ".x.1.part").write_bytes(b"half")
    os.utime(room / ".x.1.part", (0, 0))
    assert await library.sweep() == 0
    assert not room.exists()


async def test_the_sweep_follows_no_link_out_of_the_folder(library: VoiceLibrary, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious.mp3").write_bytes(b"x")
    os.utime(outside / "precious.mp3", (0, 0))
    (tmp_path / "voices" / "linked").symlink_to(outside)
    assert await library.sweep() == 0
    assert (outside / "precious.mp3").exists()


async def test_voices_of_one_name_stay_apart_and_each_address_opens_its_own(library: VoiceLibrary) -> None:
    """Greeting 1 of two spaces, or in two languages, in rooms of one name and within one second."""
    texts = [b"hello", b"bonjour", b"hello", b"adieu"]
    addresses = [await stored(library, "room", "greeting_1", audio) for audio in texts]
    assert all("/room_uid_voice/room/greeting_1.mp3?" in address for address in addresses)
    found = [library.check(*parts(address)) for address in addresses]
    assert [one.path.read_bytes() for one in found if isinstance(one, Found)] == texts
    assert addresses[2] == addresses[0]  # the same sound in the same second is one voice


async def test_putting_and_sweeping_at_once_loses_nothing(library: VoiceLibrary, clock: VirtualClock) -> None:
    for _ in range(20):
        await library.put("room", "greeting_1", b"old", life=0)
        _, expires = await asyncio.gather(library.sweep(), library.put("room", "greeting_1", b"new", life=LIFE))
        found = library.check(*parts(await library.url("http://x", "room", "greeting_1", expires)))
        assert isinstance(found, Found)
        assert found.path.read_bytes() == b"new"


async def test_a_disk_that_refuses_is_an_error_and_leaves_no_part(library: VoiceLibrary, tmp_path: Path) -> None:
    (tmp_path / "voices" / ROOM).write_text("a file where the room should be")
    with pytest.raises(OSError, match=ROOM):
        await library.put(ROOM, NAME, b"x", life=LIFE)
    assert names(tmp_path / "voices") == [".signing-key.pem", ROOM]
