"""What was begun before a reset is over after it."""

from __future__ import annotations

import pytest

from app.spaces import eras
from app.spaces.eras import Eras


def test_nothing_is_over_before_the_first_reset() -> None:
    told = Eras()
    assert not told.is_over(told.now, "s", "r")


@pytest.mark.parametrize(
    ("reset", "over"),
    [
        ((None, None), {("s", "r"), ("s", "q"), ("t", "r"), ("s", None)}),
        (("s", None), {("s", "r"), ("s", "q"), ("s", None)}),
        (("s", "r"), {("s", "r")}),
        ((None, "r"), {("s", "r"), ("t", "r")}),
    ],
)
def test_a_reset_ends_what_it_is_a_reset_of(
    reset: tuple[str | None, str | None], over: set[tuple[str, str | None]]
) -> None:
    told = Eras()
    before = told.now
    told.end(*reset)
    asked: list[tuple[str, str | None]] = [("s", "r"), ("s", "q"), ("t", "r"), ("s", None)]
    assert {key for key in asked if told.is_over(before, *key)} == over
    assert not any(told.is_over(told.now, *key) for key in asked)


def test_whoever_names_no_era_is_never_over() -> None:
    told = Eras()
    told.end()
    assert not told.is_over(None, "s", "r")


def test_the_rooms_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eras, "MOST_ROOMS", 2)
    told = Eras()
    for room in ("r1", "r2", "r1", "r3"):
        told.end("s", room)
    assert told.is_over(0, "s", "r1")
    assert not told.is_over(0, "s", "r2")
