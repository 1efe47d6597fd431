"""MP3 files are read from their headers alone: kind, length, and whether they are whole."""

from __future__ import annotations

import contextlib
import io

import lameenc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutagen.mp3 import MP3

from app.contract.chldo.mp3 import NotMp3, read_mp3
from app.voice.encode import FRAME_BYTES, mp3

SOUND = mp3(b"\x00\x10" * 24_000)


def encoded(rate: int, channels: int, kbits: int = 64) -> bytes:
    encoder = lameenc.Encoder()
    encoder.set_bit_rate(kbits)
    encoder.set_in_sample_rate(rate)
    encoder.set_out_sample_rate(rate)
    encoder.set_channels(channels)
    encoder.silence()
    return bytes(encoder.encode(b"\x00\x10" * rate * channels)) + bytes(encoder.flush())


def test_a_voice_of_the_emulator_is_what_the_wire_promises() -> None:
    found = read_mp3(SOUND)
    assert (found.version, found.rate, found.channels) == ("MPEG-2", 24_000, 1)
    assert found.frames == found.told == len(SOUND) // FRAME_BYTES


@pytest.mark.parametrize(
    ("rate", "channels", "version"),
    [
        (44_100, 2, "MPEG-1"),
        (48_000, 1, "MPEG-1"),
        (22_050, 2, "MPEG-2"),
        (16_000, 1, "MPEG-2"),
        (8_000, 1, "MPEG-2.5"),
    ],
)
def test_other_kinds_are_told_and_counted_as_mutagen_does(rate: int, channels: int, version: str) -> None:
    audio = encoded(rate, channels)
    found = read_mp3(audio)
    assert (found.version, found.rate, found.channels) == (version, rate, channels)
    samples = 1152 if version == "MPEG-1" else 576
    info = MP3(io.BytesIO(audio)).info  # type: ignore[no-untyped-call]
    assert info is not None
    assert found.told * samples / rate == pytest.approx(info.length, abs=0.06)


def test_tags_and_a_silent_first_frame_are_no_sound() -> None:
    plain = read_mp3(SOUND)
    id3 = b"ID3\x04\x00\x00\x00\x00\x00\x0a" + b"\x00" * 10
    assert read_mp3(id3 + SOUND + b"TAG" + b"\x00" * 125) == plain
    info = SOUND[:9] + b"Info" + SOUND[13:]
    assert (read_mp3(info).frames, read_mp3(info).told) == (plain.frames - 1, plain.frames)


@pytest.mark.parametrize(
    ("audio", "why"),
    [
        (SOUND[:-1], "cut off: 143 of 144 bytes"),
        (SOUND[: FRAME_BYTES * 3 + 2], "no frame header at byte 432"),
        (b"", "it is empty"),
        (b"<html>not found</html>", "no frame header at byte 0"),
        (SOUND + b"junk", f"no frame header at byte {len(SOUND)}"),
        (SOUND + encoded(44_100, 1), "MPEG-1 at 44100 Hz, unlike the first"),
        (b"\xff\xf5\x50\x00" + b"\x00" * 200, "a frame of Layer II at byte 0"),
    ],
)
def test_what_is_no_whole_file_is_told_where_it_stops_being_one(audio: bytes, why: str) -> None:
    with pytest.raises(NotMp3, match=why):
        read_mp3(audio)


@given(
    st.binary(max_size=600) | st.builds(lambda n, junk: SOUND[:n] + junk, st.integers(0, 600), st.binary(max_size=9))
)
def test_any_bytes_are_an_mp3_or_are_said_not_to_be(audio: bytes) -> None:
    with contextlib.suppress(NotMp3):
        assert read_mp3(audio).told > 0
