"""What a space says and knows: greetings, scenes and memories in spaces.yaml."""

from __future__ import annotations

from pathlib import Path
from unicodedata import normalize

import pytest

from app.emulation.fixtures import FixtureError, load_fixtures
from app.emulation.lore import derived_uid
from app.spaces.models import Greeting, Memory, Scene


def problems_of(folder: Path, text: str) -> list[str]:
    (folder / "spaces.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(FixtureError) as caught:
        load_fixtures(folder)
    return [line.removeprefix("spaces.yaml:") for line in str(caught.value).splitlines()]


def test_what_a_space_says_and_knows_is_taken(tmp_path: Path) -> None:
    (tmp_path / "spaces.yaml").write_text(
        """
spaces:
  - uid: a
    default: true
    greetings: {12: 열두 번째, "2": 두 번째}
    scenes:
      7: {name: 바다, prompt: 등대지기}
      1: 책방
    memories:
      - {uid: d3609c2758b7aa6b9, name: 도손, variants: [도 손, "34"], dictionary: [{k: b, v: "1"}, {k: a, v: ""}]}
      - {name: 사전, dictionary: {b: "1", 2: 둘}, hotword: false}
      - {name: 글, text: "여러\\n줄", long_term: true}
      - name: 말
""",
        encoding="utf-8",
    )
    space = load_fixtures(tmp_path).spaces[0].space
    assert space.greetings == (Greeting(2, "두 번째"), Greeting(12, "열두 번째"))
    assert space.scenes == (Scene(1, "책방"), Scene(7, "등대지기", "바다"))
    derived = [derived_uid("a", name) for name in ("사전", "글", "말")]
    assert space.memories == (
        Memory("d3609c2758b7aa6b9", "도손", ("도 손", "34"), True, None, (("b", "1"), ("a", "")), False),
        Memory(derived[0], "사전", ("사전",), False, None, (("b", "1"), ("2", "둘")), False),
        Memory(derived[1], "글", ("글",), True, "여러\n줄", None, True),
        Memory(derived[2], "말", ("말",), True, None, None, False),
    )


def test_a_derived_uid_follows_from_the_names_of_space_and_memory() -> None:
    assert derived_uid("demo", "도손") == "5f02c6514d9835024"
    assert derived_uid("demo", normalize("NFD", "도손")) == derived_uid("demo", "도손")
    assert derived_uid("other", "도손") != derived_uid("demo", "도손") != derived_uid("demo", "도 손")


@pytest.mark.parametrize(
    ("lore", "expected"),
    [
        ("greetings: [안녕]", "4: greetings: expected a mapping with numbers for keys, found a list of 1"),
        ("greetings:\n    0: x", "5: greetings.0: expected a whole number from 1 to 2147483647 for a key, found 0"),
        ("greetings: {one: x}", "4: greetings.one: expected a whole number from 1 to 2147483647 for a key, found one"),
        ("greetings: {1: ''}", '4: greetings.1: expected text that is not empty, found ""'),
        ("greetings: {1: a, 1: b}", "4: 1: expected each key once, found it again (first on line 4)"),
        ("scenes: {8: x}", "4: scenes.8: expected a whole number from 1 to 7 for a key, found 8"),
        ("scenes: {1: 3}", "4: scenes.1: expected text, or a mapping with name and prompt, in quotes, found 3"),
        ("scenes:\n    1: {name: x}", "5: scenes.1.prompt: expected this key, found nothing"),
        ("scenes: {1: {prompt: x, promt: y}}", "4: scenes.1.promt: expected one of name, prompt, found an unknown key"),
        ("memories: {a: b}", "4: memories: expected a list, found a mapping of 1"),
        ("memories: [도손]", "4: memories[0]: expected a mapping with one of uid, name, variants, hotword, text,"),
        ("memories: [{text: x}]", "4: memories[0].name: expected this key, found nothing"),
        ("memories: [{name: a, uid: A}]", '4: memories[0].uid: expected 17 of 0-9 a-f, found "A"'),
        (
            "memories: [{name: a, uid: 12345678901234567}]",
            "4: memories[0].uid: expected 17 of 0-9 a-f, in quotes, found 12345678901234567",
        ),
        (
            f"memories:\n  - {{name: a, uid: {'a' * 17}}}\n  - {{name: b, uid: {'a' * 17}}}",
            "6: memories[1].uid: expected each uid once in a space, found it again (first on line 5)",
        ),
        (
            "memories:\n  - name: a\n  - name: a",
            "6: memories[1].name: expected a name that no other memory has, or a uid, found it again (first on line 5)",
        ),
        ("memories: [{name: a, variants: []}]", "4: memories[0].variants: expected at least one variant, found a list"),
        ("memories: [{name: a, variants: a}]", '4: memories[0].variants: expected a list, found "a"'),
        ("memories: [{name: a, variants: [34]}]", "4: memories[0].variants[0]: expected one line of text, 1 to 200 "),
        ("memories: [{name: a, variants: ['']}]", "4: memories[0].variants[0]: expected one line of text, 1 to 200 "),
        (
            f"memories: [{{name: a, variants: [b, {'x' * 201}]}}]",
            "4: memories[0].variants[1]: expected one line of text, 1 to 200 characters, found",
        ),
        (
            "memories: [{name: a, text: b, dictionary: {c: d}}]",
            "4: memories[0]: expected text or dictionary, found both",
        ),
        (
            "memories: [{name: a, hotword: false}]",
            "4: memories[0]: expected text or dictionary, or hotword: true, found neither",
        ),
        ("memories: [{name: a, hotword: 1}]", "4: memories[0].hotword: expected true or false, found 1"),
        ("memories: [{name: a, dictionary: []}]", "4: memories[0].dictionary: expected at least one entry, found a li"),
        ("memories: [{name: a, dictionary: {}}]", "4: memories[0].dictionary: expected at least one entry, found a ma"),
        ("memories: [{name: a, dictionary: x}]", '4: memories[0].dictionary: expected a list, found "x"'),
        ("memories: [{name: a, dictionary: {n: 1}}]", "4: memories[0].dictionary.n: expected text, in quotes, found 1"),
        (
            "memories: [{name: a, dictionary: [{k: b}]}]",
            "4: memories[0].dictionary[0].v: expected this key, found nothing",
        ),
        (
            "memories: [{name: a, dictionary: [[k, v]]}]",
            "4: memories[0].dictionary[0]: expected a mapping with one of k, v, found a list of 2",
        ),
    ],
)
def test_a_mistake_in_what_a_space_says_and_knows_is_told(tmp_path: Path, lore: str, expected: str) -> None:
    told = problems_of(tmp_path, f"spaces:\n- uid: a\n  default: true\n  {lore}")
    assert len(told) == 1
    assert told[0].startswith(expected)


def test_the_same_uid_in_two_spaces_is_no_mistake(tmp_path: Path) -> None:
    memory = f"memories: [{{name: a, uid: {'a' * 17}}}]"
    (tmp_path / "spaces.yaml").write_text(
        f"spaces:\n- {{uid: a, default: true, {memory}}}\n- {{uid: b, {memory}}}", encoding="utf-8"
    )
    assert [seed.space.memories[0].uid for seed in load_fixtures(tmp_path).spaces] == ["a" * 17] * 2
