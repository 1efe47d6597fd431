"""The emulator keeps every rule, in every revision, and each rule has an occasion to be broken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.contract.checks.recordings import Recording
from app.contract.checks.rig import Plan, Rig
from app.contract.checks.rules import judge
from app.contract.checks.run import Choice
from app.contract.chldo.probes import probe
from app.contract.chldo.reading import gather
from app.contract.chldo.rules import RULES
from app.contract.chldo.words import IDS, R1, R6, R9, REVISIONS, V1
from app.emulation.determinism import Ids, RealClock
from tests.contract.defects import HOTWORD, UNUSABLE
from tests.contract.stage import checked, staged, told, url_of
from tests.live import DEMO_KEY, LiveServer


@pytest.mark.parametrize("revision", IDS)
async def test_the_emulator_keeps_every_rule_and_has_an_occasion_for_each(stage: LiveServer, revision: str) -> None:
    report = await checked(url_of(stage, revision))
    assert report.counts.findings == 0, told(report)
    assert [result.id for result in report.rules if result.outcome == "skipped"] == []
    assert (report.subjects[0].believed, report.subjects[0].judged) == (revision, revision)
    assert report.exit_code == 0


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The program as `make run` starts it; gone before other tests count threads."""
    with LiveServer(tmp_path_factory.mktemp("shipped")) as live:
        yield live


SCRIPTED = {"hotwords", "texts.failure", "order.failure", "keys.hotword", "ids.hotword", "refusal.order"}
"""What the shipped replies give no occasion for unless they are asked in certain words (`--say`, `--failing-key`)."""


async def test_the_emulator_as_shipped_has_no_finding_in_any_revision(shipped: LiveServer) -> None:
    checks = (checked(url_of(shipped, revision), say=(), failing_keys=(), unusable_key=UNUSABLE) for revision in IDS)
    reports = await asyncio.gather(*checks)
    for revision, report in zip(IDS, reports, strict=True):
        assert report.counts.findings == 0, told(report)
        assert report.subjects[0].believed == revision
        skipped = {result.id for result in report.rules if result.outcome == "skipped"}
        assert all(name in SCRIPTED or name.partition(".")[0] in SCRIPTED for name in skipped), skipped


async def test_the_shipped_hotword_and_failures_give_the_rest_their_occasion(shipped: LiveServer) -> None:
    keys = (f"{'0' * 20}e2", f"{'0' * 20}e3")
    report = await checked(
        url_of(shipped, R9), say=("딥티크 향수 추천해 줘",), failing_keys=keys, unusable_key=UNUSABLE
    )
    assert (report.counts.failed, report.counts.skipped) == (0, 0), told(report)


@pytest.mark.parametrize("revision", IDS)
async def test_the_same_conversations_on_tape_break_no_rule_either(stage: LiveServer, revision: str) -> None:
    """Without what the probes know of their requests, and each socket by itself."""
    plan = Plan(url_of(stage, revision), api_key=DEMO_KEY, unusable_key=UNUSABLE, say=(HOTWORD,), revision=revision)
    wanted = frozenset(rule.group for rule in RULES)
    async with Rig(clock=RealClock(), ids=Ids(), timeout=plan.timeout) as rig:
        await probe(rig, replace(plan, wanted=wanted))
    for recording in rig.recordings:
        seen = gather([Recording(recording.tape)], revision, {})
        for rule in RULES:
            breaches = judge(rule, seen).breaches if rule.holds_in(revision) else ()
            assert not breaches, (rule.id, breaches[0])


@pytest.mark.parametrize("revision", [V1, R1, R9])
async def test_a_revision_is_found_without_a_word_in_the_url(revision: str, tmp_path: Path) -> None:
    with staged(tmp_path, revision=revision) as live:
        report = await checked(f"{live.ws}/v3/", choice=Choice(skip=("limits",)))
    assert (report.subjects[0].believed, report.counts.findings) == (revision, 0), told(report)


async def test_another_revision_than_the_servers_is_found_out(stage: LiveServer) -> None:
    report = await checked(url_of(stage, R9), choice=Choice(revision=R6))
    subject = report.subjects[0]
    assert (subject.believed, subject.judged, report.revision_given) == (R9, R6, True)
    assert {"keys.start", "keys.history"} <= {one.id for one in report.rules if one.outcome == "failed"}


@pytest.mark.parametrize(
    ("choice", "turns"),
    [
        (Choice(), 10),
        (Choice(skip=("greeting",)), 8),
        (Choice(skip=("greeting", "concurrency")), 5),
        (Choice(skip=("greeting", "concurrency", "tokens", "echo")), 4),
        (Choice(only=("refusal", "forbidden", "limits")), 1),
        (Choice(only=("refusal", "forbidden", "limits"), revision=R9), 0),
    ],
)
async def test_it_asks_for_no_more_turns_than_the_rules_need(stage: LiveServer, choice: Choice, turns: int) -> None:
    report = await checked(url_of(stage, R9), choice=choice, failing_keys=(), say=("하나", "둘"))
    assert report.counts.failed == 0, told(report)
    assert report.turns == turns


async def test_without_the_group_voices_none_is_asked_for(stage: LiveServer) -> None:
    report = await checked(url_of(stage, R9), choice=Choice(skip=("voices",)))
    reasons = {result.id: result.reason for result in report.rules if result.outcome == "skipped"}
    assert {"keys.voice", "sentences.voice-each", "sentences.voice-text"} <= reasons.keys()
    assert not any(result.group == "voices" for result in report.rules)
    assert report.counts.failed == 0


def test_the_revisions_are_those_of_the_emulator() -> None:
    from app.chldo.revisions import REVISIONS as EMULATED

    assert list(EMULATED) == list(IDS)
    for name, revision in REVISIONS.items():
        assert (revision.action, revision.requires) == (EMULATED[name].action, EMULATED[name].requires), name
