"""Fixture files as files: missing, unreadable, no YAML, too large, too clever; and JSON among them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.emulation import documents
from app.emulation.documents import read_document
from app.emulation.fixtures import FixtureError, load_fixtures
from app.emulation.replies import ReplyAsk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "replies").mkdir()
    (tmp_path / "spaces.yaml").write_text("spaces: [{uid: a, default: true}]", encoding="utf-8")
    return tmp_path


def problems(folder: Path) -> list[str]:
    with pytest.raises(FixtureError) as caught:
        load_fixtures(folder)
    return str(caught.value).splitlines()


def problems_of(folder: Path, text: str) -> list[str]:
    (folder / "replies" / "a.yaml").write_text(text, encoding="utf-8")
    return [line.removeprefix("replies/a.yaml:") for line in problems(folder)]


def test_a_missing_folder_and_a_missing_spaces_file_are_told(tmp_path: Path) -> None:
    assert problems(tmp_path / "none") == [
        f"{tmp_path}/none:1: folder: expected a folder with spaces.yaml, found no folder that can be opened"
    ]
    assert problems(tmp_path) == ["spaces.yaml:1: file: expected a readable file, found nothing"]


def test_what_is_no_readable_file_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "replies" / "a.yaml").mkdir()
    assert problems(folder) == ["replies/a.yaml:1: file: expected a readable file, found something else"]
    (folder / "replies" / "a.yaml").rmdir()
    (folder / "replies" / "a.yaml").write_text("{}", encoding="utf-8")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "replies/a.yaml:1: file: expected a readable file, found Permission denied" in problems(folder)


def test_a_file_beyond_the_limit_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "LARGEST_FILE", 100)
    assert problems_of(folder, "#" * 101) == ["1: file: expected at most 100 bytes, found more"]


SYNTAX = [
    ("default: [", "1: file: expected valid YAML, found the end of the file, after what began on line 1"),
    (
        "default: {\n reply: x\n\n",
        "4: file: expected valid YAML, found the end of the file, after what began on line 1",
    ),
    ("a:\n  - 'b\n\n", "4: file: expected valid YAML, found the end of the file, after what began on line 2"),
    ("default: {]", "1: file: expected valid YAML, found"),
    ("a: b\n c: d", "2: file: expected valid YAML, found mapping values are not allowed"),
    ("default:\n\treply: x", "2: file: expected valid YAML, found a tab, which cannot indent (column 1)"),
    ("default: {}\n---\ndefault: {}", "2: file: expected one document, found a second one"),
    ("default: *x", "1: file: expected an alias of an earlier, complete value, found *x"),
    ("default: &x\n  reply: *x", "2: file: expected an alias of an earlier, complete value, found *x"),
    ("? [a]\n: b", "1: file: expected a key that is text, found a list or mapping"),
    ("- &x [a]\n- {*x : b}", "1: file: expected a key that is text, found a list or mapping"),
    ("x: !!python/object:os.system y", "1: file: expected values without tags, found tag:yaml.org,2002:python/object:"),
    ("x: !!set [y]", "1: file: expected values without tags, found tag:yaml.org,2002:set"),
    ("\n\nx: \x07", "3: file: expected printable text, found the character U+0007"),
    ('x: "\\0"', "1: file: expected characters that text can have, found an escaped NUL or surrogate"),
    ("[" * 100, "1: file: expected at most 64 levels, found more"),
    ("x:\n- " + "9" * 50, "2: file: expected a number of 64 bits, or text in quotes, found a larger one"),
    ("x:\n- 9.0e+999", "2: file: expected a number of 64 bits, or text in quotes, found a larger one"),
]


@pytest.mark.parametrize("loader", [yaml.SafeLoader, documents._LOADER], ids=["python", "libyaml"])
@pytest.mark.parametrize(("text", "expected"), SYNTAX)
def test_what_is_no_safe_yaml_is_told_by_either_scanner(tmp_path: Path, text: str, expected: str, loader: type) -> None:
    (tmp_path / "x").write_text(text, encoding="utf-8")
    _, found = read_document(tmp_path / "x", "x", loader=loader)
    assert any(str(problem).startswith(f"x:{expected}") for problem in found), [str(one) for one in found]


def test_aliases_work_and_cannot_explode(folder: Path) -> None:
    text = "replies:\n- {when: {msg: &m hi}, reply: x}\n- {when: {msg: y}, reply: *m}"
    (folder / "replies" / "a.yaml").write_text(text, encoding="utf-8")
    book = load_fixtures(folder).replies
    assert book.match(ReplyAsk("y")).text == "hi"
    bomb = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    assert problems_of(folder, f"a0: &a0 [x]\n{bomb}") == [
        "6: file: expected aliases that stand for at most 100000 values, found more"
    ]
    deep = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 100))
    assert problems_of(folder, deep) == ["63: file: expected at most 64 levels, found more"]


@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_json_is_read_as_json(folder: Path, indent: int | str | None, ascii_only: bool) -> None:
    body = {"a": [1, -2.5e-3, 1e3, True, None, "1", "no", "2024-10-06", '👩‍👩‍👧 \\ud83d\\ude00 \\"/\n\t'], "": {}}
    content = {"default": {"error": {"status": 500, "body": body}}}
    text = json.dumps(content, ensure_ascii=ascii_only, indent=indent)
    (folder / "replies" / "a.json").write_text(text, encoding="utf-8")
    reply = load_fixtures(folder).replies.default
    assert reply.error is not None
    assert reply.error.body == body


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    | st.from_regex(r"\A[-+0-9.eE_:]{1,8}\Z")
    | st.sampled_from(
        ["no", "Off", "y", "~", "null", "True", "0x1F", "007", "0e1", "1e3", "2024-10-06", "12:30", "=", "<<"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON, readable=st.booleans())
@example(value="-.0", readable=False)
def test_what_python_writes_as_yaml_or_json_is_read_back(tmp_path: Path, value: Any, readable: bool) -> None:
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(value, allow_unicode=readable), encoding="utf-8", newline="")
    (tmp_path / "x.json").write_text(json.dumps(value, ensure_ascii=not readable), encoding="utf-8", newline="")
    for name in ("x.yaml", "x.json"):
        root, problems = read_document(tmp_path / name, name)
        assert not problems
        assert root is not None
        assert root.plain() == value


@pytest.mark.parametrize("escape", [r"\ud83d", r"\ude00\ud83d", r"\ud83dx"])
def test_half_an_emoji_is_told(folder: Path, escape: str) -> None:
    (folder / "replies" / "a.json").write_text('{"default":\n{"reply": "' + escape + '"}}', encoding="utf-8")
    assert problems(folder)[0].startswith("replies/a.json:2: file: expected valid YAML, found invalid Unicode char")


def test_a_byte_order_mark_does_no_harm(folder: Path) -> None:
    (folder / "replies" / "a.yaml").write_text("\ufeffdefault: {reply: x}", encoding="utf-8")
    assert load_fixtures(folder).replies.default.text == "x"


def test_a_problem_is_one_line_whatever_the_file_holds(folder: Path) -> None:
    (line,) = problems_of(folder, '"a\\nb\\u2028\\x1b[1m": 1')
    assert line == r"1: a\nb\u2028\x1b[1m: expected one of replies, default, pace, found an unknown key"
