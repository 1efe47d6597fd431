"""A fault rule: what breaks, when and how often; and how it is read from a fixture or a request. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from unicodedata import normalize

from app.emulation.conditions import Condition, Exact, Matches, text_condition
from app.emulation.faults.kinds import KINDS, KNOWN, MOST, Kind, Place
from app.emulation.nodes import Json
from app.emulation.occasions import Occasion
from app.emulation.report import Item

WHEN = ("wire", "room", "user", "key", "message", "action", "turn", "frame")
"""What a rule can ask of an occasion."""

RULE_KEYS = ("fault", "when", "probability", "count", "skip")
"""The keys of every rule; those of its kind come beside them."""

MOST_RULES = 1_000
"""Rules of one list."""

About = Literal["connection", "request", "frame"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of fault, the conditions under which it strikes, and what the kind takes.

    It strikes with `probability`, after letting `skip` such occasions of a room pass, `count` times in a room (None: no
    end). `source` says where it stands, or who asked for it.
    """

    kind: Kind
    when: Mapping[str, Condition] = field(default_factory=dict)
    probability: float = 1.0
    count: int | None = None
    skip: int = 0
    values: Mapping[str, Json] = field(default_factory=dict)
    source: str = ""

    def holds(self, occasion: Occasion) -> bool:
        """Whether this is an occasion for it."""
        for name, condition in self.when.items():
            value = getattr(occasion, name)
            if not condition.holds(normalize("NFC", value) if isinstance(value, str) else value):
                return False
        return True

    @property
    def about(self) -> About:
        """What it waits for, by what it asks: a connection, a request of one, or a frame."""
        if "frame" in self.when:
            return "frame"
        return "connection" if self.when.keys() <= KNOWN[Place.HANDSHAKE] else "request"

    @property
    def most(self) -> int | None:
        """How often it strikes in a room at most."""
        counted_by = self.kind.counted_by
        most: int | None = self[counted_by] if counted_by else self.count
        return most

    def __getitem__(self, name: str) -> Any:
        """A parameter of the kind, or its default."""
        return self.values.get(name, self.kind.takes[name].default)

    def plain(self) -> dict[str, Json]:
        """The rule as it would be written, without what it leaves to defaults."""
        told: dict[str, Json] = {"fault": self.kind.name}
        if self.when:
            told["when"] = {name: _written(condition) for name, condition in self.when.items()}
        if self.probability != 1.0:
            told["probability"] = self.probability
        if self.count is not None:
            told["count"] = self.count
        if self.skip:
            told["skip"] = self.skip
        return {**told, **self.values}


class Profile(tuple[Rule, ...]):
    """A named set of rules. `about` says what it is for, in words."""

    about = ""


def _written(condition: Condition) -> Json:
    if isinstance(condition, Exact):
        return condition.value
    if isinstance(condition, Matches):
        return {"regex": condition.pattern}
    return {"contains": condition.part}


def read_rules(item: Item, *, anew: bool = True) -> tuple[Rule, ...]:
    """The rules of a list; what is wrong with them goes into the item's report, named from the rule on, or (not
    `anew`) from the outermost key on.
    """
    if isinstance(item.node.value, list) and len(item.node.value) > MOST_RULES:
        item.refuse(f"at most {MOST_RULES} rules", str(len(item.node.value)))
        return ()
    return tuple(rule for member in item.items(anew=anew) if (rule := read_rule(member)) is not None)


def read_rule(item: Item) -> Rule | None:
    """One rule; None, and a note in the report, if its kind is not known."""
    if not item.is_mapping:
        item.refuse("a mapping with fault")
        return None
    assert isinstance(item.node.value, dict)
    named = item.node.value.get("fault")
    name = named[1].value if named else None
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        known = ", ".join(KINDS)
        if named is None:
            item.refuse(f"a fault, one of {known}", "none")
        else:
            where = Item(named[1], item.file, named[0], f"{item.prefix}fault", "", item.report)
            where.refuse(f"one of {known}")
        return None
    required = tuple(key for key, parameter in kind.takes.items() if parameter.required)
    fields = item.fields((*RULE_KEYS, *kind.takes), required)
    given = [key for key in kind.one_of if key in fields]
    if len(given) > 1:
        fields[given[1]].refuse(f"only one of {', '.join(kind.one_of)}", "both")
    when: dict[str, Condition] = {}
    if "when" in fields:
        for key, condition in fields["when"].fields(WHEN).items():
            if key == "turn":
                when[key] = Exact(condition.whole(1, MOST))
            elif key == "message" and condition.is_null:
                when[key] = Exact(None)
            else:
                when[key] = text_condition(condition)
    if kind.counted_by and "count" in fields:
        fields["count"].refuse(f"{kind.counted_by} in its place", "count")
    if "reason" in fields and len(str(fields["reason"].node.value).encode()) > 123:
        fields["reason"].refuse("at most 123 bytes")
    if kind.name == "edit" and not any(key in fields for key in kind.takes):
        item.refuse(f"at least one of {', '.join(kind.takes)}")
    return Rule(
        kind,
        when,
        fields["probability"].number(0, 1) if "probability" in fields else 1.0,
        fields["count"].whole(1, MOST) if "count" in fields else None,
        fields["skip"].whole(0, MOST) if "skip" in fields else 0,
        {key: kind.takes[key].read(fields[key]) for key in kind.takes if key in fields},
        item.source,
    )
