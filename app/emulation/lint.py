"""What is wrong with a fixtures folder, and what it says in vain: entries that an earlier one always comes before, and
conditions that nothing meets, of replies and of faults.

Only what is certain is told. Two regular expressions are compared by their text; whether one finds whatever another
finds is not decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from app.emulation.conditions import Condition, Contains, Exact, Matches
from app.emulation.faults.kinds import KNOWN
from app.emulation.faults.rules import Rule
from app.emulation.fixtures import OPTIONAL, FixtureError, Fixtures, WireFiles, load_fixtures
from app.emulation.lore import LAST_SCENE
from app.emulation.nodes import one_line
from app.emulation.occasions import Occasion
from app.emulation.replies import Entry, Reply

_EVERYTHING = frozenset({"^", "$", ".*", ".*?", "^.*", ".*$", "(?s).*", "(?s)^.*$"})
"""Regular expressions that find something in every text, as people write them."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to say about a fixture file: an error keeps it from being used, a warning does not.

    `file` is relative to the fixtures folder, `line` counts from 1.
    """

    severity: Literal["error", "warning"]
    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        return one_line(f"{self.file}:{self.line}: {self.severity}: {self.key}: {self.message}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said about a folder. `more` errors are left out; the counts are 0 where there are errors."""

    remarks: tuple[Remark, ...]
    more: int = 0
    spaces: int = 0
    replies: int = 0
    faults: int = 0
    profiles: int = 0

    def count(self, severity: str) -> int:
        """How many remarks are of a severity."""
        return sum(remark.severity == severity for remark in self.remarks) + (self.more if severity == "error" else 0)


def judge(
    folder: Path,
    wires: WireFiles = MappingProxyType({}),
    *,
    also: Callable[[Fixtures], Iterable[Remark]] = lambda fixtures: (),
) -> Verdict:
    """Reads and checks a fixtures folder, those files too that wires read. Blocks. Warnings, and what there is to say
    `also`, are only looked for where there are no errors.
    """
    try:
        fixtures = load_fixtures(folder, wires=wires)
    except FixtureError as error:
        remarks = [Remark("error", one.file, one.line, one.key, one_line(one.message)) for one in error.problems]
        return Verdict(tuple(remarks), error.more)
    return Verdict(
        tuple(sorted([*lint(fixtures), *also(fixtures)], key=lambda remark: (remark.file, remark.line))),
        spaces=len(fixtures.spaces),
        replies=len(fixtures.replies.entries),
        faults=len(fixtures.faults) + sum(map(len, fixtures.profiles.values())),
        profiles=len(fixtures.profiles),
    )


def lint(fixtures: Fixtures) -> list[Remark]:
    """Every entry that can never answer, every default that is never used and every fault that can never strike, in the
    order of the files.
    """
    entries = fixtures.replies.entries
    shadows = dict(_shadows(entries))
    spaces = [seed.space.uid for seed in fixtures.spaces]
    remarks = []
    for number, entry in enumerate(entries):
        condition = entry.when.get("space")
        scene = entry.when.get("scene_number")
        if isinstance(scene, Exact) and isinstance(scene.value, int) and scene.value > LAST_SCENE:
            text = f"can never answer: scenes end at {LAST_SCENE}"
            remarks.append(_remark(entry.reply, "when.scene_number", text))
        elif condition is not None and not any(condition.holds(uid) for uid in spaces):
            text = f"can never answer: spaces.yaml has no space that fits ({condition})"
            remarks.append(_remark(entry.reply, "when.space", text))
        elif number in shadows:
            earlier = entries[shadows[number]].reply.source
            text = f"can never answer: {earlier} comes first and matches whatever this does"
            remarks.append(_remark(entry.reply, "when", text))
    first = fixtures.replies.default.source
    remarks += [_remark(reply, "default", f"is never used: {first} comes first") for reply in fixtures.unused_defaults]
    for rules in (fixtures.faults, *fixtures.profiles.values()):
        remarks += [_remark(rule, key, f"can never strike: {why}") for rule in rules for key, why in _in_vain(rule)]
    return sorted(remarks, key=lambda remark: (remark.file, remark.line))


def _shadows(entries: tuple[Entry, ...]) -> Iterator[tuple[int, int]]:
    """Pairs of an entry that can never answer and the first one that answers before it."""
    by_msg: dict[str | int | None, list[int]] = {}
    others: list[int] = []
    for number, entry in enumerate(entries):
        msg = entry.when.get("msg")
        alike = by_msg.setdefault(msg.value, []) if isinstance(msg, Exact) else others
        candidates = others if alike is others else [*alike, *others]
        before = min((other for other in candidates if covers(entries[other].when, entry.when)), default=None)
        if before is not None:
            yield number, before
        else:
            alike.append(number)  # what stands behind a shadowed entry stands behind the same shadow


def covers(wide: Mapping[str, Condition], narrow: Mapping[str, Condition]) -> bool:
    """Whether the conditions `wide` certainly hold wherever the conditions `narrow` do."""
    return all(_follows(name, condition, narrow.get(name)) for name, condition in wide.items())


def _follows(name: str, wide: Condition, narrow: Condition | None) -> bool:
    """Whether `wide` certainly holds wherever `narrow` does; None holds everywhere."""
    everything = isinstance(wide, Matches) and wide.pattern in _EVERYTHING
    if narrow is None:
        return everything and name not in OPTIONAL
    if isinstance(narrow, Exact):
        return wide.holds(narrow.value)
    if everything or wide == narrow:
        return True
    return isinstance(wide, Contains) and isinstance(narrow, Contains) and wide.part in narrow.part


def _in_vain(rule: Rule) -> Iterator[tuple[str, str]]:
    """Why a fault can never strike: the key that will have it so, and the reason."""
    if rule.probability == 0:
        yield "probability", "it is 0"
    known = KNOWN[rule.kind.place]
    for name, condition in rule.when.items():
        if name not in known and not condition.holds(getattr(Occasion(), name)):
            of = f", only of {', '.join(sorted(known))}" if known else ""
            yield f"when.{name}", f"{rule.kind.name} knows of no {name}{of}"


def _remark(what: Reply | Rule, key: str, text: str) -> Remark:
    file, _, line = what.source.rpartition(":")
    return Remark("warning", file, int(line), key, text)
