"""docs/faults.md says of every kind what the table of kinds says, and its examples are right."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from app.emulation.faults.kinds import KINDS, KNOWN, Parameter, Place
from app.emulation.faults.rules import RULE_KEYS, WHEN
from app.emulation.fixtures import load_fixtures
from app.emulation.lint import judge
from tests.emulation.faults.written import rules
from tests.test_docs import ROOT, rows, section

PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
PLACES = {
    "### Before the handshake": [Place.HANDSHAKE],
    "### The connection": [Place.CONNECTION],
    "### Frames": [Place.FRAME, Place.END],
    "### The model": [Place.TURN],
    "### Voices": [Place.VOICE],
    "### The account": [Place.CREDIT, Place.KEY],
    "### The store": [Place.STORE],
}


def default(parameter: Parameter) -> str:
    if parameter.required:
        return "required"
    if parameter.default is None:
        return "none"
    return f"`{json.dumps(parameter.default)}`" if not isinstance(parameter.default, str) else _text(parameter.default)


def _text(value: str) -> str:
    return f"`{value}`" if value else "empty"


def test_every_kind_stands_under_its_place_with_its_words() -> None:
    for heading, places in PLACES.items():
        listed = [
            row for row in rows(section(PAGE, heading)) if len(row) == 2 and re.fullmatch(r"`[a-z0-9-]+`", row[0])
        ]
        told = {row[0].strip("`"): row[1] for row in listed}
        assert told == {kind.name: kind.about for kind in KINDS.values() if kind.place in places}, heading
    assert {place for places in PLACES.values() for place in places} == set(Place)


def test_every_parameter_stands_there_with_its_default() -> None:
    told = [
        (row[0].strip("`"), row[1].strip("`"), row[2], row[3])
        for heading in PLACES
        for row in rows(section(PAGE, heading))
        if len(row) == 4
    ]
    assert sorted(told) == sorted(
        (kind.name, name, default(parameter), parameter.about)
        for kind in KINDS.values()
        for name, parameter in kind.takes.items()
    )


def test_the_keys_of_a_rule_and_of_when_stand_there() -> None:
    assert [row[0].strip("`") for row in rows(section(PAGE, "## A rule"))] == list(RULE_KEYS)
    assert [row[0].strip("`") for row in rows(section(PAGE, "## When"))] == list(WHEN)


def test_what_is_known_where_is_as_it_says() -> None:
    """The last cell of a row of `## When` names the groups of faults that cannot ask for the key."""
    groups = {heading.removeprefix("### "): places for heading, places in PLACES.items()}
    for row in rows(section(PAGE, "## When")):
        told = {name.strip() for name in row[2].split(",") if name.strip() not in ("", "—")}
        assert told == {
            name for name, places in groups.items() if all(row[0].strip("`") not in KNOWN[place] for place in places)
        }, row[0]


def examples() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_examples_are_taken_without_a_warning(tmp_path: Path) -> None:
    assert len(examples()) >= 3
    for number, example in enumerate(examples()):
        folder = tmp_path / str(number)
        (folder / "profiles").mkdir(parents=True)
        (folder / "spaces.yaml").write_text("spaces: [{uid: a, default: true}]", encoding="utf-8")
        place = "profiles/p.yaml" if example.startswith("about:") else "faults.yaml"
        (folder / place).write_text(example, encoding="utf-8")
        load_fixtures(folder)
        assert judge(folder).remarks == ()


def test_the_rules_in_requests_are_right() -> None:
    bodies = re.findall(r"-d '(\{.*?\})'", PAGE, flags=re.DOTALL)
    assert bodies
    for body in bodies:
        told: Any = json.loads(body)
        assert rules(*told.get("faults", [told]))


def test_the_worked_example_holds_the_files_that_were_used() -> None:
    text = section(PAGE, "## A worked example")
    file = re.search(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    assert file
    assert [rule["fault"] for rule in yaml.safe_load(file[1])["faults"]] == ["reset", "flap"]
