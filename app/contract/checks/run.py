"""One check from beginning to end: of a server, or of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app.contract.checks.recordings import Belief, Downloads, Recording
from app.contract.checks.report import Redact, Report, RuleResult, Subject, counted, results
from app.contract.checks.rig import Misuse, NoConnection, Plan, Rig
from app.contract.checks.rules import Rule, UnknownRule, Verdict, judge, merged, selected
from app.contract.checks.secrets import redactor
from app.contract.checks.sources import read_recordings
from app.contract.checks.wires import Wire
from app.emulation.determinism import Clock, Ids
from app.emulation.tapes import TapeError


@dataclass(frozen=True, slots=True)
class Choice:
    """What to judge by: rules and groups by name, and the revision ("" for the one that the frames tell)."""

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    revision: str = ""


def chosen(wire: Wire[Any], choice: Choice) -> list[Rule[Any]]:
    """The rules to judge by. Raises `Misuse`."""
    if choice.revision and choice.revision not in wire.revisions:
        raise Misuse(f"unknown revision {choice.revision!r}; known: {', '.join(wire.revisions)}")
    try:
        rules = selected(wire.rules, choice.only, choice.skip)
    except UnknownRule as error:
        raise Misuse(str(error)) from None
    if not rules:
        raise Misuse("no rule is left to judge by")
    return rules


async def check_server(wire: Wire[Any], plan: Plan, choice: Choice, *, clock: Clock, ids: Ids) -> Report:
    """Asks the server at `plan.url` and judges it. Raises `Misuse`."""
    rules = chosen(wire, choice)
    wanted = frozenset(rule.group for rule in rules)
    groups = frozenset(rule.group for rule in wire.rules)
    plan = replace(plan, revision=choice.revision, wanted=wanted, skipped=frozenset(choice.skip) & groups)
    began = clock.monotonic()
    why: str | None = None
    async with Rig(clock=clock, ids=ids, timeout=plan.timeout) as rig:
        try:
            await wire.probe(rig, plan)
        except NoConnection as no:
            why = str(no)
    redact = redactor([*plan.secrets, plan.org_id, *rig.secrets])
    problem = f"cannot connect to {redact(plan.url)}: {redact(why)}" if why is not None else ""
    recordings = rig.recordings
    belief = wire.believe(recordings)
    judged = choice.revision or belief.revision or wire.revisions[-1]
    subjects = [] if problem else [_subject(redact(plan.url), belief, judged)]
    found = [] if problem else _judged(wire, rules, [(judged, recordings)], rig.downloads, redact)
    return Report(
        version=version("chldo-emulator"),
        wire=wire.name,
        mode="active",
        target=redact(plan.url),
        problem=problem,
        subjects=subjects,
        revision_given=bool(choice.revision),
        counts=counted(found),
        turns=rig.turns,
        seconds=round(clock.monotonic() - began, 3),
        notes=[redact(note) for note in rig.notes],
        rules=found,
    )


def check_recordings(
    wire: Wire[Any], path: Path, choice: Choice, *, clock: Clock, secrets: Sequence[str] = ()
) -> Report:
    """Judges tapes, a folder of them, or a HAR; each as the revision that its own frames tell. Raises `Misuse`."""
    rules = chosen(wire, choice)
    redact = redactor(secrets)
    began = clock.monotonic()
    try:
        recordings = read_recordings(path)
    except TapeError as error:
        raise Misuse(str(error)) from None
    subjects: list[Subject] = []
    bodies: list[tuple[str, list[Recording]]] = []
    for recording in recordings:
        belief = wire.believe([recording])
        judged = choice.revision or belief.revision or wire.revisions[-1]
        bodies.append((judged, [recording]))  # alone: nothing says that tapes belong together
        subjects.append(_subject(recording.tape.name, belief, judged))
    found = _judged(wire, rules, bodies, {}, redact)
    return Report(
        version=version("chldo-emulator"),
        wire=wire.name,
        mode="passive",
        target=redact(str(path)),
        problem="",
        subjects=subjects,
        revision_given=bool(choice.revision),
        counts=counted(found),
        turns=0,
        seconds=round(clock.monotonic() - began, 3),
        notes=[],
        rules=found,
    )


def _subject(name: str, belief: Belief, judged: str) -> Subject:
    return Subject(
        name=name,
        believed=belief.revision,
        also=list(belief.also),
        because=list(belief.because),
        judged=judged,
    )


def _judged(
    wire: Wire[Any],
    rules: Sequence[Rule[Any]],
    bodies: Sequence[tuple[str, list[Recording]]],
    downloads: Downloads,
    redact: Redact,
) -> list[RuleResult]:
    """Every rule over all bodies of recordings whose revision has it."""
    evidence = [(revision, wire.gather(recordings, revision, downloads)) for revision, recordings in bodies]
    verdicts: list[Verdict[Any]] = []
    for rule in rules:
        held = [judge(rule, seen) for revision, seen in evidence if rule.holds_in(revision)]
        if held:
            verdicts.append(merged(held))
    return results(verdicts, redact)
