"""The faults in force: which rules there are now, how the dice fall, how often each has struck."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from app.emulation.determinism import Ids
from app.emulation.faults.kinds import Place
from app.emulation.faults.rules import Rule
from app.emulation.occasions import Occasion

MOST_RULES = 1_000
MOST_ROOMS = 10_000
"""Rooms in which a rule's strikes are counted; the one that was quiet for longest is forgotten first."""


class TooManyFaults(ValueError):
    """More rules than can be in force at once."""


@dataclass(slots=True)
class _Tally:
    """What a rule has done in a room."""

    passed: int = 0
    struck: int = 0


@dataclass(slots=True, eq=False)
class LiveRule:
    """A rule in force. `id` names it; `strikes` counts its strikes in all rooms."""

    id: str
    rule: Rule
    strikes: int = 0
    _rooms: OrderedDict[tuple[str, str], _Tally] = field(default_factory=OrderedDict)

    def strike(self, occasion: Occasion, dice: Ids) -> bool:
        """Whether it strikes now; counts it if so."""
        rule = self.rule
        if not rule.holds(occasion):
            return False
        tally = self._tally(occasion.wire, occasion.room or occasion.user)
        count = rule["connections"] if rule.kind.name == "flap" else rule.count
        if count is not None and tally.struck >= count:
            return False
        if tally.passed < rule.skip:
            tally.passed += 1
            return False
        if rule.probability < 1.0 and dice.fraction() >= rule.probability:
            return False
        tally.struck += 1
        self.strikes += 1
        return True

    def forget(self, room: str | None = None) -> None:
        """Counts from 0 again, in one room or in all."""
        if room is None:
            self._rooms.clear()
            self.strikes = 0
        for key in [key for key in self._rooms if key[1] == room]:
            del self._rooms[key]

    def _tally(self, wire: str, room: str) -> _Tally:
        tally = self._rooms.get((wire, room))
        if tally is None:
            tally = self._rooms[wire, room] = _Tally()
            if len(self._rooms) > MOST_ROOMS:
                self._rooms.popitem(last=False)
        else:
            self._rooms.move_to_end((wire, room))
        return tally


class Faults:
    """The rules in force, in the order in which they came. For the event loop's thread only.

    `profiles`: named sets of rules that can be put in force. `changed`: called after every change of the rules.
    """

    def __init__(self) -> None:
        self._rules: dict[str, LiveRule] = {}
        self._places: dict[Place, tuple[LiveRule, ...]] = {}
        self._made = 0
        self.profiles: Mapping[str, tuple[Rule, ...]] = {}
        self.changed: list[Callable[[], None]] = []
        self.on_frames = False
        """Whether any rule could strike a frame: asked for every one."""

    def __iter__(self) -> Iterable[LiveRule]:
        return iter(tuple(self._rules.values()))

    def __len__(self) -> int:
        return len(self._rules)

    def at(self, place: Place) -> tuple[LiveRule, ...]:
        """The rules that strike at a place."""
        return self._places.get(place, ())

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
        if len(self._rules) + len(new) > MOST_RULES:
            raise TooManyFaults(f"at most {MOST_RULES} faults can be in force at once")
        added: list[LiveRule] = []
        for rule in new:
            self._made += 1
            live = self._rules[f"f{self._made}"] = LiveRule(f"f{self._made}", rule)
            added.append(live)
        self._settle()
        return added

    def remove(self, uid: str) -> bool:
        """Takes one out of force; whether it was."""
        gone = self._rules.pop(uid, None) is not None
        if gone:
            self._settle()
        return gone

    def replace(self, rules: Iterable[Rule], *, origin: str) -> None:
        """What one origin (`fixtures`, a profile) has in force, from now on. What stays as it was keeps its counts."""
        kept = {live.id: live for live in self._rules.values() if not live.rule.source.startswith(f"{origin}:")}
        old = [live for live in self._rules.values() if live.id not in kept]
        self._rules = kept
        for rule in rules:
            wanted = replace(rule, source=f"{origin}:{rule.source}")
            same = next((live for live in old if live.rule == wanted), None)
            if same is not None:
                old.remove(same)
                self._rules[same.id] = same
            else:
                self._made += 1
                self._rules[f"f{self._made}"] = LiveRule(f"f{self._made}", wanted)
        self._settle()

    def use(self, profile: str) -> list[LiveRule]:
        """Puts a named profile in force. Raises KeyError for one that is not known, `TooManyFaults`."""
        return self.add(self.profiles[profile], source=f"profile:{profile}")

    def clear(self, origin: str | None = None) -> int:
        """Takes all out of force, or those of one origin (`control`, `fixtures`, `profile:NAME`). How many."""
        gone = [
            uid
            for uid, live in self._rules.items()
            if origin is None or live.rule.source == origin or live.rule.source.startswith(f"{origin}:")
        ]
        for uid in gone:
            del self._rules[uid]
        self._settle()
        return len(gone)

    def forget(self, room: str | None = None) -> None:
        """Lets every rule count from 0 again, in one room or in all."""
        for live in self._rules.values():
            live.forget(room)

    def _settle(self) -> None:
        places: dict[Place, list[LiveRule]] = {}
        for live in self._rules.values():
            places.setdefault(live.rule.kind.place, []).append(live)
        self._places = {place: tuple(rules) for place, rules in places.items()}
        self.on_frames = Place.FRAME in self._places or Place.END in self._places
        for told in self.changed:
            told()
