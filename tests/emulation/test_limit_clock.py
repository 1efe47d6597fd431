"""The time of limits: as the emulated one, and as the machine's while that stands still."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.emulation.determinism import World, WorldClock

Later = Callable[[float], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Moves the machine's clock."""
    now = [100.0]

    def move(seconds: float) -> None:
        now[0] += seconds

    for module in ("world_clock.machine_monotonic", "limit_clock.machine_monotonic"):
        monkeypatch.setattr(f"app.emulation.{module}", lambda: now[0])
    return move


async def test_it_passes_as_the_emulated_time_while_that_flows(later: Later) -> None:
    world = World(WorldClock())
    began = world.limits.monotonic()
    later(5)
    assert world.limits.monotonic() == began + 5
    await world.clock.advance(60)
    later(1)
    assert world.limits.monotonic() == began + 66
    assert world.limits.time() == world.clock.time()


@pytest.mark.parametrize("virtual", [False, True])
async def test_while_that_stands_still_the_machines_passes(later: Later, virtual: bool) -> None:
    world = World(WorldClock(virtual=virtual))
    world.clock.freeze()
    began, wall = world.limits.monotonic(), world.clock.time()
    later(5)
    assert world.limits.monotonic() == began + 5
    assert world.limits.time() == wall + 5
    await world.clock.advance(60)
    assert world.limits.monotonic() == began + 65
    later(5)
    assert world.limits.monotonic() == began + 70
    world.restart()
    later(1)
    assert world.limits.time() >= world.clock.time()
    assert world.limits.time() - world.clock.time() <= 1


async def test_a_step_and_the_same_seconds_of_the_machine_count_once(later: Later) -> None:
    world = World(WorldClock(virtual=True))
    began = world.limits.monotonic()
    await world.clock.advance(5)
    later(3)
    assert world.limits.monotonic() == began + 5
