"""The emulator keeps every rule, in every revision, and each rule has an occasion to be broken."""

from __future__ import annotations

import asyncio

import pytest

from app.contract.checks.run import Choice
from app.contract.chldo.words import IDS, R6, R9, REVISIONS
from tests.contract.defects import UNUSABLE
from tests.contract.stage import checked, told, url_of
from tests.live import LiveServer


@pytest.mark.parametrize("revision", IDS)
async def test_the_emulator_keeps_every_rule_and_has_an_occasion_for_each(stage: LiveServer, revision: str) -> None:
    report = await checked(url_of(stage, revision))
    assert report.counts.findings == 0, told(report)
    assert [result.id for result in report.rules if result.outcome == "skipped"] == []
    assert (report.subjects[0].believed, report.subjects[0].judged) == (revision, revision)
    assert report.exit_code == 0


SCRIPTED = {"hotwords", "texts.failure", "order.failure", "keys.hotword", "ids.hotword", "refusal.order"}
"""What the shipped replies give no occasion for unless they are asked in certain words (`--say`, `--failing-key`)."""


async def test_the_emulator_as_shipped_has_no_finding_in_any_revision(demo: LiveServer) -> None:
    checks = (checked(url_of(demo, revision), say=(), failing_keys=(), unusable_key=UNUSABLE) for revision in IDS)
    reports = await asyncio.gather(*checks)
    for revision, report in zip(IDS, reports, strict=True):
        assert report.counts.findings == 0, told(report)
        assert report.subjects[0].believed == revision
        skipped = {result.id for result in report.rules if result.outcome == "skipped"}
        assert all(name in SCRIPTED or name.partition(".")[0] in SCRIPTED for name in skipped), skipped


async def test_the_shipped_hotword_and_failures_give_the_rest_their_occasion(demo: LiveServer) -> None:
    keys = (f"{'0' * 20}e2", f"{'0' * 20}e3")
    report = await checked(url_of(demo, R9), say=("딥티크 향수 추천해 줘",), failing_keys=keys, unusable_key=UNUSABLE)
    assert (report.counts.failed, report.counts.skipped) == (0, 0), told(report)


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
