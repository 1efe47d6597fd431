"""A report as a table for people and as JUnit XML for machines. (As JSON it is itself.) PURE."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from textwrap import shorten
from typing import Any
from xml.etree import ElementTree as ET

from app.contract.checks.report import Report, RuleResult, Subject
from app.contract.checks.rules import Rule

FEW = 3
"""Findings of a rule that the table shows."""

_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def table(report: Report) -> str:
    """The report for a terminal."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.wire} contract, {report.target}"
    if report.problem:
        yield f"  nothing was checked: {report.problem}"
        return
    for subject in report.subjects:
        yield from _subject(subject, report)
    for note in report.notes:
        yield f"  note: {note}"
    yield ""
    yield from _groups(report.rules)
    for result in report.rules:
        if result.outcome == "failed":
            yield from _failed(result)
    skipped = [result for result in report.rules if result.outcome == "skipped"]
    if skipped:
        yield ""
        yield "skipped"
        for reason, group in groupby(sorted(skipped, key=lambda one: one.reason), key=lambda one: one.reason):
            yield f"  {reason}: {', '.join(result.id for result in group)}"
    yield ""
    yield summary(report)


def summary(report: Report) -> str:
    """One line with the counts."""
    counts = report.counts
    asked = f"; turns and greetings asked for: {report.turns}" if report.mode == "active" else ""
    told = f"{counts.passed} rules kept, {counts.failed} broken, {counts.skipped} skipped"
    return f"{told}; {counts.findings} findings{asked}; {report.seconds:.1f} s"


def _subject(subject: Subject, report: Report) -> Iterator[str]:
    name = "" if report.mode == "active" else f"{subject.name}: "
    also = f" (or {', '.join(subject.also)})" if subject.also else ""
    believed = f"speaks {subject.believed}{also}" if subject.believed else "does not tell its revision"
    how = "as --revision says" if report.revision_given else "as its frames tell" if subject.believed else "by default"
    yield f"  {name}{believed}; judged as {subject.judged}, {how}"
    if subject.because and report.mode == "active":
        yield f"  because of {'; '.join(subject.because)}"


def _groups(rules: Sequence[RuleResult]) -> Iterator[str]:
    width = max((len(result.group) for result in rules), default=0)
    yield f"  {'':{width}}   kept broken skipped"
    for name, group in groupby(rules, key=lambda result: result.group):
        outcomes = [result.outcome for result in group]
        kept, broken, skipped = (outcomes.count(one) or "" for one in ("passed", "failed", "skipped"))
        yield f"  {name:{width}} {kept:>6} {broken:>6} {skipped:>7}".rstrip()


def _failed(result: RuleResult) -> Iterator[str]:
    yield ""
    yield f"BROKEN {result.id}: {result.says} [{result.source}]"
    for finding in result.findings[:FEW]:
        yield f"  at {finding.where}"
        yield f"    expected {finding.expected}"
        yield f"    got      {finding.got}"
        if finding.frame:
            yield f"    frame    {finding.frame}"
    rest = len(result.findings[FEW:]) + result.more
    if rest:
        yield f"  and {rest} more"


def listing(rules: Iterable[Rule[Any]]) -> str:
    """All rules, a line each."""
    rows = [(rule.id, span(rule), f"{rule.says} [{rule.source}]") for rule in rules]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{one:{widths[0]}}  {two:{widths[1]}}  {rest}" for one, two, rest in rows)


def span(rule: Rule[Any]) -> str:
    """The revisions that have a rule."""
    also = "".join(f"{revision}, " for revision in rule.also)
    but = f" but {', '.join(rule.but)}" if rule.but else ""
    last = "" if rule.until == "~" else rule.until
    if not rule.since and not last:
        return "all"
    return also + (rule.since if rule.since == last else f"{rule.since}…{last}") + but


def junit(report: Report) -> str:
    """The report as JUnit XML: a suite for each group of rules, a case for each rule."""
    counts = report.counts
    root = ET.Element(
        "testsuites",
        name=_clean(f"{report.wire} contract"),
        tests=str(len(report.rules) + bool(report.problem)),
        failures=str(counts.failed),
        errors=str(int(bool(report.problem))),
        skipped=str(counts.skipped),
        time=f"{report.seconds:.3f}",
    )
    if report.problem:
        suite = ET.SubElement(root, "testsuite", name="connection", tests="1", failures="0", errors="1", skipped="0")
        case = ET.SubElement(suite, "testcase", classname=report.wire, name="connection")
        ET.SubElement(case, "error", message=_clean(report.problem))
    for name, group in groupby(report.rules, key=lambda result: result.group):
        _suite(root, name, list(group), report)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(root: ET.Element, name: str, results: Sequence[RuleResult], report: Report) -> None:
    outcomes = [result.outcome for result in results]
    suite = ET.SubElement(
        root,
        "testsuite",
        name=name,
        tests=str(len(results)),
        failures=str(outcomes.count("failed")),
        errors="0",
        skipped=str(outcomes.count("skipped")),
    )
    properties = ET.SubElement(suite, "properties")
    told = {"target": report.target, "revision": ", ".join(sorted({one.judged for one in report.subjects}))}
    for key, value in told.items():
        ET.SubElement(properties, "property", name=key, value=_clean(value))
    for result in results:
        case = ET.SubElement(suite, "testcase", classname=f"{report.wire}.{name}", name=result.id)
        if result.outcome == "skipped":
            ET.SubElement(case, "skipped", message=_clean(result.reason))
        elif result.outcome == "failed":
            first = result.findings[0]
            message = f"{result.says} Expected {first.expected}, got {first.got}."
            failure = ET.SubElement(case, "failure", message=_clean(shorten(message, 500)), type=result.source)
            failure.text = _clean("\n".join(list(_failed(result))[1:]))


def _clean(text: str) -> str:
    """`text` without what XML 1.0 cannot hold."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
