"""Utterances are found by rule, whatever the sound and however fast it comes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.voice.endpoint import FRAME_SECONDS, Began, Ended, Endpointer


def frames(seconds: float, probability: float) -> list[float]:
    return [probability] * round(seconds / FRAME_SECONDS)


def test_an_utterance_has_a_beginning_and_an_end() -> None:
    points = Endpointer(threshold=0.7, silence=0.5)
    found = points.feed(frames(1.0, 0.0) + frames(2.0, 0.9) + frames(1.0, 0.0))
    began, ended = found
    assert isinstance(began, Began)
    assert isinstance(ended, Ended)
    assert abs(began.at - 1.0) < FRAME_SECONDS
    assert abs(ended.ended - 3.0) < 2 * FRAME_SECONDS
    assert abs(ended.at - ended.ended - 0.5) < FRAME_SECONDS


def test_a_click_is_no_speech_and_a_pause_is_no_end() -> None:
    points = Endpointer(threshold=0.7, silence=0.5)
    assert points.feed([0.0, 0.99, 0.0] * 20) == []
    found = points.feed(frames(0.5, 0.9) + frames(0.4, 0.0) + frames(0.5, 0.9) + frames(0.6, 0.0))
    assert [type(point) for point in found] == [Began, Ended]


def test_a_voice_that_falls_a_little_goes_on() -> None:
    points = Endpointer(threshold=0.7, silence=0.3)
    assert len(points.feed(frames(0.3, 0.9) + frames(1.0, 0.6))) == 1
    assert len(points.feed(frames(0.4, 0.5))) == 1


def test_whoever_never_stops_is_ended() -> None:
    points = Endpointer(threshold=0.5, silence=1.0, longest=2.0)
    found = points.feed(frames(5.0, 1.0))
    assert [type(point) for point in found] == [Began, Ended, Began, Ended, Began]


def test_by_hand() -> None:
    points = Endpointer(threshold=0.5, silence=1.0)
    assert points.cut() is None
    points.feed(frames(0.5, 1.0))
    ended = points.cut()
    assert ended is not None
    assert points.began is None


@given(st.lists(st.floats(0, 1), max_size=200), st.lists(st.integers(1, 40), max_size=20))
def test_how_it_is_cut_does_not_matter(probabilities: list[float], sizes: list[int]) -> None:
    whole = Endpointer(threshold=0.6, silence=0.2).feed(probabilities)
    pieces = Endpointer(threshold=0.6, silence=0.2)
    found, at = [], 0
    for size in [*sizes, len(probabilities)]:
        found += pieces.feed(probabilities[at : at + size])
        at += size
    assert found == whole


def test_a_restart_forgets_and_goes_on_counting_where_the_sound_is() -> None:
    points = Endpointer(threshold=0.5, silence=0.5)
    points.feed(frames(1.0, 1.0))
    points.restart(1.25)
    assert points.began is None
    began, ended = points.feed(frames(0.5, 0.0) + frames(1.0, 1.0) + frames(1.0, 0.0))
    assert isinstance(began, Began)
    assert isinstance(ended, Ended)
    assert abs(began.at - 1.75) < FRAME_SECONDS
    assert abs(ended.ended - 2.75) < 2 * FRAME_SECONDS
