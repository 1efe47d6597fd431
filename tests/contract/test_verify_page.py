"""docs/verify.md tells the truth: every rule is in its table, and so is all that a report has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from app.contract.checks.outputs import span
from app.contract.checks.report import Finding, Report, RuleResult, Subject
from app.contract.chldo.rules import RULES
from tests.test_docs import rows, section

PAGE = (Path(__file__).parent.parent.parent / "docs" / "verify.md").read_text(encoding="utf-8")


def documented(text: str) -> str:
    """A rule's sentence as the page writes it."""
    return re.sub(r"<[A-Z]{3}>", r"`\g<0>`", text.replace("|", "\\|"))


def test_the_table_of_rules_is_the_rules() -> None:
    wanted = [[f"`{rule.id}`", span(rule), documented(rule.says), rule.source] for rule in RULES]
    assert rows(section(PAGE, "## Rules")) == wanted


@pytest.mark.parametrize("model", [Report, Subject, RuleResult, Finding])
def test_every_key_of_the_report_is_documented(model: type[BaseModel]) -> None:
    text = section(PAGE, "### JSON")
    told = set(re.findall(r"`(\w+)`", text))
    assert model.model_fields.keys() <= told
    if model is Report:
        first = [key.strip("` ") for row in rows(text) for key in row[0].split(",")]
        assert first == list(Report.model_fields)


def test_every_section_of_the_description_that_a_rule_names_is_explained() -> None:
    sections = {row[0] for row in rows(section(PAGE, "## Sources"))}
    named = {number for rule in RULES for number in re.findall(r"(?:spec|and|,) (\d)(?:[.,]|\b)", rule.source)}
    assert named <= sections


def test_the_groups_that_can_be_left_out_are_there() -> None:
    groups = {rule.group for rule in RULES}
    assert set(re.findall(r"--(?:skip|only) (\w+)", PAGE)) <= groups
