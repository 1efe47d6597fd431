"""Rules of a wire, and what becomes of them over recorded connections. PURE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

E = TypeVar("E")
"""What a wire makes of its recordings."""

Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that was not kept: the frame as it came ("" where what is wrong is that none came) and where it stands."""

    where: str
    frame: str
    expected: str
    got: str


Sights = Iterator[Breach | None]
"""One for every occasion to keep the rule: None where it was kept."""


@dataclass(frozen=True, slots=True)
class Rule(Generic[E]):
    """One thing that a server of the wire does.

    `id`: `group.name`. `says`: one sentence. `source`: where the wire's documents say so. `check`: see `Sights`.
    `needs`: what was missing if there was no occasion. `since`, `until`: the first and last revision that have it;
    `also`: others that do; `but`: those in between that do not.
    """

    id: str
    says: str
    source: str
    check: Callable[[E], Sights]
    needs: str
    since: str = ""
    until: str = "~"
    also: tuple[str, ...] = ()
    but: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """What it is listed under, and may be left out with."""
        return self.id.partition(".")[0]

    def holds_in(self, revision: str) -> bool:
        """Whether it is a rule of that revision."""
        between = self.since <= revision <= self.until and revision not in self.but
        return between or revision in self.also


@dataclass(frozen=True, slots=True)
class Verdict(Generic[E]):
    """What became of a rule. `occasions` counts kept and broken ones; `reason` says why it was skipped."""

    rule: Rule[E]
    breaches: tuple[Breach, ...] = ()
    occasions: int = 0
    reason: str = ""

    @property
    def outcome(self) -> Outcome:
        if self.breaches:
            return "failed"
        return "passed" if self.occasions else "skipped"


def judge(rule: Rule[E], evidence: E) -> Verdict[E]:
    """Holds the evidence against one rule."""
    sights = list(rule.check(evidence))
    breaches = tuple(sight for sight in sights if sight is not None)
    return Verdict(rule, breaches, len(sights), "" if sights else rule.needs)


def merged(verdicts: Sequence[Verdict[E]]) -> Verdict[E]:
    """The verdicts on one rule over several bodies of evidence, as one."""
    breaches = tuple(breach for verdict in verdicts for breach in verdict.breaches)
    occasions = sum(verdict.occasions for verdict in verdicts)
    return Verdict(verdicts[0].rule, breaches, occasions, "" if occasions else verdicts[0].reason)


class UnknownRule(ValueError):
    """A name that is neither a rule's nor a group's; the text is one line."""


def selected(rules: Iterable[Rule[E]], only: Sequence[str] = (), skip: Sequence[str] = ()) -> list[Rule[E]]:
    """The rules that `only` names (all, if it names none) without those that `skip` names, by id or group.

    Raises `UnknownRule`.
    """
    everything = list(rules)
    known = {rule.id for rule in everything} | {rule.group for rule in everything}
    for name in (*only, *skip):
        if name not in known:
            raise UnknownRule(f"there is no rule and no group of rules {name!r} (--list names them)")
    return [
        rule
        for rule in everything
        if (not only or rule.id in only or rule.group in only) and rule.id not in skip and rule.group not in skip
    ]
