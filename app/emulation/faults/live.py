"""The faults in force: which rules there are now, how the dice fall, how often each has struck.

A rule has an origin: it was added at runtime, or is one of `fixtures` or of `profile:NAME`; its source begins so.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from app.emulation.determinism import Clock, Ids, Signal
from app.emulation.faults.kinds import Place
from app.emulation.faults.rules import MOST_RULES, Profile, Rule
from app.emulation.occasions import Occasion

FIXTURES = "fixtures"
PROFILE = "profile:"

MOST_ROOMS = 10_000
"""Rooms in which a rule's strikes are counted; the one that was quiet for longest is forgotten first."""


class TooManyFaults(ValueError):
    """More rules than can be in force at once, beside those of the fixtures."""


class Dice:
    """What one line of events throws for its faults.

    Each place has a stream of its own: how the dice fall at one does not depend on what has happened at another.
    """

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._streams: dict[Place, Ids] = {}

    def at(self, place: Place) -> Ids:
        """The stream of a place."""
        stream = self._streams.get(place)
        if stream is None:
            stream = self._streams[place] = self._ids.branch("faults", place)
        return stream


@dataclass(slots=True)
class _Tally:
    """What a rule has done in a room."""

    passed: int = 0
    struck: int = 0


@dataclass(slots=True, eq=False)
class LiveRule:
    """A rule in force. `id` names it; `strikes` counts its strikes in all rooms; `lifted` is set when it is taken out
    of force.
    """

    id: str
    rule: Rule
    strikes: int = 0
    lifted: Signal = field(default_factory=Signal)
    _rooms: OrderedDict[tuple[str, str], _Tally] = field(default_factory=OrderedDict)

    def strike(self, occasion: Occasion, dice: Ids) -> bool:
        """Whether it strikes now; counts it if so."""
        rule = self.rule
        if not rule.holds(occasion):
            return False
        tally = self._tally(_room(occasion))
        most = rule.most
        if most is not None and tally.struck >= most:
            return False
        if tally.passed < rule.skip:
            tally.passed += 1
            return False
        if rule.probability < 1.0 and dice.fraction() >= rule.probability:
            return False
        tally.struck += 1
        self.strikes += 1
        return True

    async def pause(self, clock: Clock, seconds: float) -> None:
        """Takes a pause that the rule wants, no longer than it is in force."""
        await clock.sleep(seconds, unless=self.lifted)

    def take_back(self, occasion: Occasion) -> None:
        """A strike that was counted has not come about."""
        tally = self._rooms.get(_room(occasion))
        if tally is not None and tally.struck:
            tally.struck -= 1
            self.strikes -= 1

    def forget(self, wire: str | None = None, room: str | None = None) -> None:
        """Counts from 0 again: in one room, in all of a wire, or in all."""
        if wire is None and room is None:
            self._rooms.clear()
            self.strikes = 0
        for key in [key for key in self._rooms if wire in (None, key[0]) and room in (None, key[1])]:
            self.strikes -= self._rooms.pop(key).struck

    def _tally(self, key: tuple[str, str]) -> _Tally:
        tally = self._rooms.get(key)
        if tally is None:
            tally = self._rooms[key] = _Tally()
            if len(self._rooms) > MOST_ROOMS:
                self._rooms.popitem(last=False)
        else:
            self._rooms.move_to_end(key)
        return tally


async def take_pauses(clock: Clock, rules: Iterable[LiveRule]) -> None:
    """The `seconds` of each of the rules, one after the other."""
    for live in rules:
        await live.pause(clock, live.rule["seconds"])


def _room(occasion: Occasion) -> tuple[str, str]:
    """Where an occasion counts."""
    return occasion.wire, occasion.room or occasion.user


class Faults:
    """The rules in force, in the order in which they came. For the event loop's thread only.

    `profiles`: named sets of rules that can be put in force. `changed`: called after every change of the rules.
    """

    def __init__(self) -> None:
        self._rules: dict[str, LiveRule] = {}
        self._places: dict[Place, tuple[LiveRule, ...]] = {}
        self._spared: list[Place] = []
        self._made = 0
        self.profiles: Mapping[str, Profile] = {}
        self.changed: list[Callable[[], None]] = []
        self.on_sockets = False
        """Whether any rule could strike a frame or a connection: asked for every frame."""
        self.on_frames = False
        """Whether any of those asks what a frame is."""
        self._used: set[str] = set()
        self._settled: set[LiveRule] = set()

    def __iter__(self) -> Iterator[LiveRule]:
        return iter(tuple(self._rules.values()))

    def __len__(self) -> int:
        return len(self._rules)

    def at(self, place: Place) -> tuple[LiveRule, ...]:
        """The rules that strike at a place."""
        return () if place in self._spared else self._places.get(place, ())

    @contextmanager
    def sparing(self, place: Place) -> Iterator[None]:
        """Nothing strikes at a place meanwhile: whoever runs the server has something to do there."""
        self._spared.append(place)
        try:
            yield
        finally:
            self._spared.remove(place)

    def strike(self, place: Place, occasion: Occasion, dice: Ids) -> tuple[LiveRule, ...]:
        """The rules that strike at this occasion, in their order."""
        rules = self._places.get(place)
        if not rules:
            return ()
        return tuple(rule for rule in rules if rule.strike(occasion, dice))

    def get(self, uid: str) -> LiveRule | None:
        """The rule of that id."""
        return self._rules.get(uid)

    def add(self, rules: Iterable[Rule], *, source: str | None = None) -> list[LiveRule]:
        """Puts rules in force, all or none. Raises `TooManyFaults`."""
        new = [rule if source is None else replace(rule, source=source) for rule in rules]
        beside = sum(not _is_of(live.rule.source, FIXTURES) for live in self._rules.values())
        if beside + len(new) > MOST_RULES:
            raise TooManyFaults(f"at most {MOST_RULES} faults can be in force at once, beside those of the fixtures")
        added = [self._live(rule) for rule in new]
        self._rules |= {live.id: live for live in added}
        self._settle()
        return added

    def remove(self, uid: str) -> bool:
        """Takes one out of force; whether it was."""
        gone = self._rules.pop(uid, None) is not None
        if gone:
            self._settle()
        return gone

    def replace(self, rules: Iterable[Rule], *, origin: str) -> None:
        """What one origin has in force, from now on. A rule that stays as it was, be it on another line, keeps its id
        and its counts.
        """
        kept: dict[str, LiveRule] = {}
        old: dict[str, list[LiveRule]] = {}
        for live in self._rules.values():
            if _is_of(live.rule.source, origin):
                old.setdefault(repr(live.rule.plain()), []).append(live)
            else:
                kept[live.id] = live
        now: dict[str, LiveRule] = {}
        for rule in rules:
            wanted = replace(rule, source=f"{origin}:{rule.source}")
            alike = old.get(repr(rule.plain()))
            live = alike.pop(0) if alike else self._live(wanted)
            live.rule = wanted
            now[live.id] = live
        self._rules = {**now, **kept} if origin == FIXTURES else {**kept, **now}
        self._settle()

    @property
    def used(self) -> list[str]:
        """The profiles that are in force."""
        return sorted(self._used)

    def use(self, profile: str) -> list[LiveRule]:
        """Puts a named profile in force; one that is in force already begins anew. Raises KeyError for one that is not
        known, `TooManyFaults`.
        """
        rules = self.profiles[profile]
        origin = PROFILE + profile
        before = dict(self._rules)
        self._rules = {live.id: live for live in before.values() if not _is_of(live.rule.source, origin)}
        try:
            added = self.add(replace(rule, source=f"{origin}:{rule.source}") for rule in rules)
        except TooManyFaults:
            self._rules = before
            raise
        self._used.add(profile)
        return added

    def take(self, rules: Iterable[Rule], profiles: Mapping[str, Profile]) -> None:
        """What the fixtures hold from now on. A profile in force becomes what it is now; one that is gone leaves."""
        self.profiles = profiles
        for name in self.used:
            self.replace(profiles.get(name, ()), origin=PROFILE + name)
        self._used &= profiles.keys()
        self.replace(rules, origin=FIXTURES)

    def clear(self, origin: str | None = None) -> int:
        """Takes all out of force, or those of one origin (`control`, `fixtures`, `profile:NAME`). How many."""
        return self._drop(lambda source: origin is None or _is_of(source, origin))

    def keep(self, origin: str) -> int:
        """Takes all out of force but those of one origin. How many."""
        return self._drop(lambda source: not _is_of(source, origin))

    def _drop(self, goes: Callable[[str], bool]) -> int:
        gone = [uid for uid, live in self._rules.items() if goes(live.rule.source)]
        for uid in gone:
            del self._rules[uid]
        self._used = {name for name in self._used if not goes(PROFILE + name)}
        self._settle()
        return len(gone)

    def forget(self, wire: str | None = None, room: str | None = None) -> None:
        """Lets every rule count from 0 again: in one room, in all of a wire, or in all."""
        for live in self._rules.values():
            live.forget(wire, room)

    def _live(self, rule: Rule) -> LiveRule:
        self._made += 1
        return LiveRule(f"f{self._made}", rule)

    def _settle(self) -> None:
        now = set(self._rules.values())
        for live in self._settled - now:
            live.lifted.set()
        self._settled = now
        places: dict[Place, list[LiveRule]] = {}
        for live in self._rules.values():
            places.setdefault(live.rule.kind.place, []).append(live)
        self._places = {place: tuple(rules) for place, rules in places.items()}
        connections = self.at(Place.CONNECTION)
        self.on_frames = (
            Place.FRAME in self._places
            or Place.END in self._places
            or any(live.rule.about != "connection" for live in connections)
        )
        self.on_sockets = self.on_frames or bool(connections)
        for told in self.changed:
            told()


def _is_of(source: str, origin: str) -> bool:
    return f"{source}:".startswith(f"{origin}:")
