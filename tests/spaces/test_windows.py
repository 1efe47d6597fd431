from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.spaces.models import RoomWindow, Turn
from app.spaces.windows import RoomWindows, follow, weigh
from tests.spaces.samples import turn


@given(st.lists(st.integers(0, 5)), st.integers(0, 4))
def test_following_each_save_gives_the_last_by_begin_and_then_by_save(begans: list[int], length: int) -> None:
    saved = [turn(began, str(number)) for number, began in enumerate(begans)]
    window = RoomWindow((), 0)
    for one in saved:
        window = follow(window, one, length)
    expected = sorted(saved, key=lambda one: one.began)
    assert window == RoomWindow(tuple(expected[max(0, len(expected) - length) :]), len(saved))


@given(st.lists(st.lists(st.sampled_from("abc"), unique=True)), st.integers(0, 2))
def test_what_any_turn_detected_has_fired(hotwords: list[list[str]], length: int) -> None:
    window = RoomWindow((), 0)
    for uids in hotwords:
        window = follow(window, turn(hotwords=tuple(uids)), length)
    assert window.fired == {uid for uids in hotwords for uid in uids}


def test_a_turn_that_detects_nothing_new_leaves_what_has_fired_as_it_is() -> None:
    fired = frozenset(map(str, range(5000)))
    window = RoomWindow((), 0, fired)
    assert follow(window, turn(), 20).fired is fired
    assert follow(window, turn(hotwords=("7",)), 20).fired is fired


HOTWORDS = st.lists(st.sampled_from("abc"), unique=True)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 50), HOTWORDS)), st.integers(0, 4))
def test_a_followed_window_weighs_what_the_same_window_weighs_when_put(
    turns: list[tuple[int, int, list[str]]], length: int
) -> None:
    followed, put = (RoomWindows(rooms=3, size=10**6) for _ in range(2))
    key = ("s", "r")
    followed.put(key, RoomWindow((), 0))
    for began, size, hotwords in turns:
        followed.follow(key, turn(began, "x" * size, hotwords=tuple(hotwords)), length)
    kept = followed.get(key)
    assert kept is not None
    assert kept.saved == len(turns)
    put.put(key, kept)
    assert followed.weight == put.weight


def test_a_room_that_is_not_kept_is_not_followed() -> None:
    windows = RoomWindows(rooms=3, size=10**6)
    windows.follow(("s", "r"), turn(), 20)
    assert windows.get(("s", "r")) is None


def window(*turns: Turn) -> RoomWindow:
    return RoomWindow(turns, len(turns))


def test_the_least_recently_used_room_goes_first() -> None:
    windows = RoomWindows(rooms=2, size=10**6)
    for room in ("r1", "r2"):
        windows.put(("s", room), window(turn()))
    windows.get(("s", "r1"))
    windows.put(("s", "r3"), window(turn()))
    assert [windows.get(("s", room)) is not None for room in ("r1", "r2", "r3")] == [True, False, True]


def test_the_weight_stays_below_its_bound() -> None:
    heavy = turn(reply="가" * 10_000)
    windows = RoomWindows(rooms=100, size=5 * weigh(heavy))
    for room in range(20):
        windows.put(("s", str(room)), window(heavy))
        assert windows.weight <= 5 * weigh(heavy)
    assert 3 <= len(windows) <= 5


def test_a_window_too_heavy_alone_is_not_kept() -> None:
    windows = RoomWindows(rooms=100, size=20_000)
    windows.put(("s", "r"), window(turn(reply="가" * 20_000)))
    assert windows.get(("s", "r")) is None
    assert windows.weight == 0


@given(st.lists(st.tuples(st.sampled_from(["put", "drop", "get"]), st.integers(0, 5), st.integers(0, 50))))
def test_the_weight_is_that_of_what_is_kept(steps: list[tuple[str, int, int]]) -> None:
    windows = RoomWindows(rooms=3, size=5000)
    for step, room, length in steps:
        key = ("s", str(room))
        if step == "put":
            windows.put(key, window(turn(reply="x" * length)))
        elif step == "drop":
            windows.drop(key)
        else:
            windows.get(key)
    for room in range(6):
        windows.drop(("s", str(room)))
    assert (len(windows), windows.weight) == (0, 0)
