from __future__ import annotations

import math
import struct
from itertools import pairwise

import pytest

from app.voice.encode import MAX_SECONDS, RATE, capped, mp3, mp3_seconds, pcm_seconds, resample
from app.voice.tone import ToneEngine, seconds_to_say, silence
from tests.voice.sound import SENTENCE, loudness, mp3_length, walk_frames


def sine(hertz: int, rate: int, seconds: float) -> bytes:
    return b"".join(
        struct.pack("<h", round(9_000 * math.sin(2 * math.pi * hertz * n / rate))) for n in range(round(rate * seconds))
    )


@pytest.mark.parametrize("samples", [1, 575, 576, 577, 24_000, 71_999])
def test_mp3_has_a_frame_for_every_576_samples_and_two_more(samples: int) -> None:
    audio = mp3(bytes(2 * samples))
    frames = walk_frames(audio)
    assert frames == math.ceil(samples / 576) + 2
    assert mp3_seconds(audio) == round(frames * 0.024, 3)
    assert mp3_length(audio) == pytest.approx(mp3_seconds(audio), abs=0.001)


def test_resampling_keeps_length_pitch_and_loudness() -> None:
    before = sine(1_000, 22_050, 1.0)
    after = resample(before, 22_050)
    samples = struct.unpack(f"<{len(after) // 2}h", after)
    crossings = sum((a < 0) != (b < 0) for a, b in pairwise(samples))
    assert pcm_seconds(after) == pytest.approx(1.0, abs=0.001)
    assert crossings == pytest.approx(2_000, abs=4)
    assert loudness(after) == pytest.approx(loudness(before), rel=0.01)


def test_sound_at_24_khz_is_left_alone() -> None:
    pcm = sine(500, RATE, 0.1)
    assert resample(pcm, RATE) is pcm


def test_a_minute_is_the_cap_and_half_samples_are_dropped() -> None:
    assert pcm_seconds(capped(bytes(2 * RATE * 90))) == MAX_SECONDS
    assert capped(b"abc") == b"ab"


def test_tones_last_as_long_as_the_text_takes() -> None:
    engine = ToneEngine()
    korean, english = engine.speak(SENTENCE), engine.speak("Nice weather today, let us walk a bit.")
    assert 1.5 < pcm_seconds(korean) < 4.0
    assert 1.5 < pcm_seconds(english) < 4.0
    assert pcm_seconds(korean) == pytest.approx(seconds_to_say(SENTENCE), abs=0.01)
    assert loudness(korean) > 1_000
    assert engine.speak(SENTENCE) == ToneEngine().speak(SENTENCE)


def test_tones_do_not_click_when_they_change() -> None:
    samples = struct.unpack("<24000h", ToneEngine().speak("가" * 20)[:48_000])
    steps = [abs(b - a) for a, b in pairwise(samples)]
    assert max(steps) < 6_000 * 2 * math.pi * 600 / RATE + 2


def test_tones_are_bounded_both_ways() -> None:
    assert seconds_to_say("a") == 0.3
    assert seconds_to_say("漢" * 4_000) == MAX_SECONDS
    assert loudness(silence(0.25)) == 0
