"""The report of a check: what was held against what, and what came of it. PURE.

These models are the JSON that `--json` writes; docs/verify.md describes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from app.contract.checks.rules import Outcome, Rule, Verdict
from app.json_text import dumps, loads, sound

SHOWN = 20
"""Findings of a rule that are quoted; the rest is counted."""

LONGEST_TEXT, LONGEST_FRAME = 160, 700
"""Characters of a text inside a quoted frame, and of the whole of it."""


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Finding(Model):
    """A rule was not kept here."""

    where: str
    frame: str
    """As it came, shortened, keys and signatures redacted; "" where what is wrong is that none came."""
    expected: str
    got: str


class RuleResult(Model):
    """What came of one rule. `occasions`: how often there was something to judge."""

    id: str
    group: str
    says: str
    source: str
    outcome: Outcome
    reason: str
    """Why it was skipped, else ""."""
    occasions: int
    findings: list[Finding]
    more: int
    """Findings beyond those that are quoted."""


class Subject(Model):
    """A server, or a recording: which revision it is believed to speak, and for which one it was judged."""

    name: str
    believed: str
    """"" if its frames do not tell."""
    also: list[str]
    """Other revisions that its frames fit as well."""
    because: list[str]
    judged: str


class Counts(Model):
    passed: int
    failed: int
    skipped: int
    findings: int


class Report(Model):
    """The whole. `problem`: why nothing could be checked, "" if something was. Times in seconds."""

    tool: str = "chldo-emulator"
    version: str
    wire: str
    mode: Literal["active", "passive"]
    target: str
    problem: str
    subjects: list[Subject]
    revision_given: bool
    counts: Counts
    turns: int
    """Turns and greetings that the server was asked for."""
    seconds: float
    notes: list[str]
    rules: list[RuleResult]

    @property
    def exit_code(self) -> int:
        """0 no findings, 1 findings, 3 no connection."""
        return 3 if self.problem else 1 if self.counts.failed else 0


Redact = Callable[[str], str]


def results(verdicts: Sequence[Verdict[Any]], redact: Redact) -> list[RuleResult]:
    """Verdicts as the report has them."""
    return [_result(verdict, redact) for verdict in verdicts]


def _result(verdict: Verdict[Any], redact: Redact) -> RuleResult:
    rule: Rule[Any] = verdict.rule
    findings = [
        Finding(
            where=redact(breach.where),
            frame=quoted(breach.frame, redact),
            expected=cut(redact(breach.expected), LONGEST_FRAME),
            got=cut(redact(breach.got), LONGEST_FRAME),
        )
        for breach in verdict.breaches[:SHOWN]
    ]
    return RuleResult(
        id=rule.id,
        group=rule.group,
        says=rule.says,
        source=rule.source,
        outcome=verdict.outcome,
        reason=verdict.reason,
        occasions=verdict.occasions,
        findings=findings,
        more=max(0, len(verdict.breaches) - SHOWN),
    )


def counted(rules: Sequence[RuleResult]) -> Counts:
    """How many there are of each."""
    by = [result.outcome for result in rules]
    findings = sum(len(result.findings) + result.more for result in rules)
    return Counts(passed=by.count("passed"), failed=by.count("failed"), skipped=by.count("skipped"), findings=findings)


def quoted(frame: str, redact: Redact) -> str:
    """A frame for people to read: redacted first, then shortened, so that no half of a secret is left."""
    safe = redact(frame)
    try:
        body = loads(safe)
    except ValueError:
        return cut(sound(safe), LONGEST_FRAME)
    return cut(dumps(_short(body)), LONGEST_FRAME)


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return cut(value, LONGEST_TEXT)
    if isinstance(value, dict):
        return {cut(key, LONGEST_TEXT): _short(item) for key, item in value.items()}
    return [_short(item) for item in value] if isinstance(value, list) else value


def cut(text: str, length: int) -> str:
    """The text, or its beginning with an ellipsis."""
    return text if len(text) <= length else f"{text[:length]}…"
