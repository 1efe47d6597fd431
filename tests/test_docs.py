"""The documents agree with the program: settings, commands, endpoints, texts, links."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import signal
import subprocess
import sys
import tomllib
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import typer.main
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from app.chldo import frames, gateway, memory, renders, requests, turn
from app.chldo.requests import Greet, Refusal, parse
from app.chldo.revisions import DEFAULT, REVISIONS
from app.cli import cli
from app.main import create_app
from app.settings import PREFIX, Settings, SettingsError, load_settings
from app.voice.languages import VOICES

ROOT = Path(__file__).parent.parent
SOURCES = ("app", "bench", "docs", "examples", "fixtures", "graphs", "tests")
PAGES = sorted({*ROOT.glob("*.md"), *(page for folder in SOURCES for page in (ROOT / folder).rglob("*.md"))})
PAGES = [page for page in PAGES if "node_modules" not in page.parts]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
WIRE = (ROOT / "docs" / "wire.md").read_text(encoding="utf-8")

HEADINGS = {
    "": "## The server",
    "http": "## http",
    "v3": "## v3: the wire",
    "voice": "## voice",
    "agent": "## agent",
    "store": "## store",
}
HEADINGS |= {"journal": "## journal", "control": "## control", "malangee": "## malangee", "hashee": "## hashee"}
OF_THE_MACHINE = {"voice.workers": "2"}
"""Defaults that depend on the machine, and what the page says of them."""

SAMPLES: dict[Any, object] = {bool: True, int: 777, float: 7.5, str: "sample", Path: "sample", SecretStr: "sqlite:///x"}
SAMPLES[datetime] = datetime(2024, 11, 13, 9, tzinfo=UTC)
SPECIAL: dict[str, object] = {"journal.file": 4096, "v3.url_base": "https://sample", "voice.workers": 32}
SPECIAL |= {"forwarded_allow_ips": "10.0.0.0/8", "v3.uploads": "lenient"}
SPECIAL |= {"voice.base_url": "https://sample", "malangee.transcription_url": "https://sample"}
SPECIAL |= {
    "http.head_limit": 8192,
    "malangee.body_limit": 4096,
    "malangee.pace": "burst",
    "malangee.threshold": 0.5,
    "malangee.prefix": 0.5,
    "malangee.frame_limit": 20_000,
}
"""Values of settings whose type does not say what they take."""


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    level = heading.partition(" ")[0]
    following = re.split(rf"^#{{1,{len(level)}}} ", text.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)
    return following[0]


def rows(text: str) -> list[list[str]]:
    """The cells of all tables in a text, headers left out."""
    lines = text.splitlines()
    cells = [line for number, line in enumerate(lines) if line.startswith("| ") and not _is_header(lines, number)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in cells]


def _is_header(lines: list[str], number: int) -> bool:
    return number + 1 < len(lines) and lines[number + 1].startswith("|---")


def declared() -> dict[str, FieldInfo]:
    """Every setting by its path, `v3.idle_limit`."""
    found: dict[str, FieldInfo] = {}
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, BaseModel):
            found |= {f"{name}.{key}": inner for key, inner in type(field.default).model_fields.items()}
        else:
            found[name] = field
    return found


def documented() -> dict[str, list[str]]:
    """The rows of docs/configuration.md by the path of the setting."""
    found: dict[str, list[str]] = {}
    for group, heading in HEADINGS.items():
        for row in rows(section(CONFIGURATION, heading)):
            found[f"{group}.{row[0].strip('`')}".lstrip(".")] = row
    return found


def toml(value: object) -> str:
    """A default as the page writes it."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str | Path) else f"`{value}`"


SETTINGS = declared()


def test_every_group_of_settings_has_its_table() -> None:
    groups = {name for name, field in Settings.model_fields.items() if isinstance(field.default, BaseModel)}
    assert groups == HEADINGS.keys() - {""}


def test_the_settings_and_their_documentation_are_the_same() -> None:
    assert list(documented()) == list(SETTINGS)


@pytest.mark.parametrize("path", SETTINGS)
def test_a_setting_has_its_variable_its_default_and_a_meaning(path: str) -> None:
    _, variable, default, meaning = documented()[path]
    assert variable == f"`{PREFIX}{path.replace('.', '_').upper()}`"
    assert default == (f"`{OF_THE_MACHINE[path]}`" if path in OF_THE_MACHINE else toml(SETTINGS[path].default))
    assert meaning


def sample(path: str) -> Any:
    """A value that a setting takes and that is not its default."""
    kind, default = SETTINGS[path].annotation, SETTINGS[path].default
    if path in SPECIAL:
        return SPECIAL[path]
    if get_origin(kind) is Literal:
        return next(choice for choice in get_args(kind) if choice != default)
    if isinstance(default, bool):
        return not default
    kinds = [member for member in get_args(kind) if member is not type(None)] or [kind]
    return SAMPLES[kinds[0]]


@pytest.mark.parametrize("path", SETTINGS)
def test_the_documented_variable_is_read(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = sample(path)
    monkeypatch.setenv(documented()[path][1].strip("`"), str(value))
    found: Any = load_settings()
    for name in path.split("."):
        found = getattr(found, name)
    assert value != SETTINGS[path].default
    assert str(found.get_secret_value() if isinstance(found, SecretStr) else found) == str(value)


def example() -> str:
    found = re.search(r"```toml\n(.*?)```", CONFIGURATION, re.DOTALL)
    assert found
    return found[1]


def test_the_example_file_is_taken_and_says_something_new(tmp_path: Path) -> None:
    file = tmp_path / "chldo.toml"
    file.write_text(example(), encoding="utf-8")
    settings = load_settings(file)
    table = tomllib.loads(example())
    assert settings.port == table["port"] != Settings.model_fields["port"].default
    for group in HEADINGS.keys() & table.keys():
        for key, value in table[group].items():
            assert getattr(getattr(settings, group), key) == value != SETTINGS[f"{group}.{key}"].default


def test_the_order_of_the_sources_is_as_documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "chldo.toml"
    file.write_text('port = 1\nhost = "file"\nrevision = "file"', encoding="utf-8")
    monkeypatch.setenv("CHLDO_PORT", "2")
    monkeypatch.setenv("CHLDO_HOST", "environment")
    settings = load_settings(file, port=3)
    assert (settings.port, settings.host, settings.revision) == (3, "environment", "file")


def test_the_errors_shown_are_the_ones_that_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "chldo.toml"
    file.write_text("[voice]\negnine = 'tone'", encoding="utf-8")
    with pytest.raises(SettingsError) as unknown:
        load_settings(file)
    monkeypatch.setenv("CHLDO_PORT", "99999")
    with pytest.raises(SettingsError) as large:
        load_settings()
    for error in (unknown, large):
        assert f"chldo-emulator: {error.value}" in CONFIGURATION.splitlines()


def commands() -> dict[str, set[str]]:
    """The options of every command, long and short."""
    group: Any = typer.main.get_command(cli)
    return {
        name: {
            option
            for parameter in command.params
            if parameter.param_type_name == "option"
            for option in (*parameter.opts, *parameter.secondary_opts)
        }
        for name, command in group.commands.items()
    }


@pytest.mark.parametrize("command", commands())
def test_the_options_of_a_command_and_their_documentation_are_the_same(command: str) -> None:
    text = section(CONFIGURATION, f"### {command}")
    assert text, f"no heading for {command}"
    first_cells = " ".join(row[0] for row in rows(text)) or text
    assert set(re.findall(r"`(--?[a-z-]+)`", first_cells)) == commands()[command] - {"--help"}


def test_no_command_is_documented_that_is_not_there() -> None:
    assert set(re.findall(r"^### (\w+)$", section(CONFIGURATION, "## Command line"), re.MULTILINE)) == set(commands())


def test_every_endpoint_is_documented() -> None:
    app = create_app(Settings())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate Operation ID")  # GET and HEAD of a voice are one function
        described = app.openapi()["paths"]
    described = {path: methods for path, methods in described.items() if not path.startswith("/api/v1/")}
    asked = {
        (method.upper(), path.replace("{place}", "{room_uid}/{sent_uid}.mp3"))
        for path, methods in described.items()
        for method, about in methods.items()
        if method != "head" and not of_hashee(about)
        if not path.startswith("/_emulator/") or path.startswith(("/_emulator/health", "/_emulator/schema"))
    }
    assert {"GET", "POST", "DELETE"} == {method for method, _ in asked}
    pages = {("GET", app.openapi_url), ("GET", app.docs_url)}
    assert set(re.findall(r"`(GET|POST|DELETE) (/[^`\s]*)`", section(WIRE, "## HTTP"))) == asked | pages


def of_hashee(about: dict[str, Any]) -> bool:
    """Whether an endpoint is Hashee's, whose page is its own."""
    return any(str(tag).startswith("hashee") for tag in about.get("tags", ()))


def test_every_endpoint_of_hashee_is_documented() -> None:
    page = section((ROOT / "docs" / "hashee.md").read_text(encoding="utf-8"), "## HTTP")
    described = create_app(Settings()).openapi()["paths"]
    asked = {
        (method.upper(), path)
        for path, methods in described.items()
        for method, about in methods.items()
        if of_hashee(about)
    }
    assert len(asked) > 60
    assert set(re.findall(r"\| `(GET|POST|PUT|PATCH|DELETE) (/\S+)` \|", page)) == asked


def test_the_choices_of_hashee_that_rules_name_are_on_its_page_under_their_numbers() -> None:
    page = (ROOT / "docs" / "hashee.md").read_text(encoding="utf-8")
    choices = dict(re.findall(r"^(\d+)\. (.+)$", section(page, "## Choices of the emulator"), re.MULTILINE))
    assert list(choices) == [str(number + 1) for number in range(len(choices))]
    named = set(re.findall(r"choice (\d+)", section(page, "## Checks")))
    words = {"2": "Sending", "3": "Streams", "4": "close codes", "5": "auth.renew", "6": "not valid", "10": "Pings"}
    assert named == set(words)
    assert all(word in choices[number] for number, word in words.items())


@pytest.mark.parametrize(
    "text",
    [
        requests.KEY_UNKNOWN,
        requests.KEY_UNUSABLE,
        requests.GREETING_UNKNOWN,
        requests.FILE_UNKNOWN,
        requests.RETURN_VOICE,
        gateway.STARTING,
        gateway.BROKEN,
        turn.TIMED_OUT,
        turn.NOT_READ,
        turn.NOT_SAVED,
        renders.NO_CREDIT.format(balance=0),
    ],
)
def test_a_text_that_clients_get_is_documented(text: str) -> None:
    assert f"`{text}`" in section(WIRE, "## Errors")


@pytest.mark.parametrize(
    ("action", "field", "value"),
    [
        ("sendmsg", "scene_number", "1"),
        ("sendmsg", "scene_number", requests.LAST_SCENE + 1),
        ("sendmsg", "use_choices", -1),
        ("sendmsg", "language", 1),
        ("greeting", "greeting_number", "1"),
    ],
)
def test_a_refusal_of_a_value_is_documented(action: str, field: str, value: object) -> None:
    asked = {"action": action, "api_key": "k", "room_uid": "r", "user_id": "u", field: value}
    refusal = parse(json.dumps(asked), REVISIONS[DEFAULT])
    assert isinstance(refusal, Refusal)
    assert refusal.msg.startswith(field)
    assert f"`{refusal.msg}`" in section(WIRE, "### Refusals")


def test_the_refusal_of_a_memory_is_documented() -> None:
    assert f"`{memory.UNKNOWN}`" in section(WIRE, "## HTTP")


def test_the_fields_of_a_request_are_documented() -> None:
    known = {row[0].strip("`") for row in rows(section(WIRE, "### sendmsg"))}
    flat = set(re.findall(r"`(\w+)`", section(WIRE, "### sendmessage")))
    optional = {*requests._TEXTS, *requests._SWITCHES, "scene_number", "return_voice", "use_choices"}
    v1 = {"user_uid", "subject", "receiver_uid"}
    assert known == (optional - v1 - {"org_id"}) | {"api_key", "room_uid", "user_id", "msg"}
    assert v1 <= flat


def test_the_fields_of_a_greeting_are_documented() -> None:
    known = {row[0].strip("`") for row in rows(section(WIRE, "### greeting"))}
    fields = {field.name for field in dataclasses.fields(Greet)}
    assert known == (fields - {"account", "number"}) | {"api_key", "greeting_number"}


@pytest.mark.parametrize("page", ["README.md", "README.ko.md", "FIDELITY.md", "docs/wire.md"])
def test_a_table_of_revisions_has_them_all_in_order(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    first_cells = re.findall(r"^\| `(20\d\d-\d\d-\d\d)` \|", text, re.MULTILINE)
    assert first_cells == list(REVISIONS)


def test_the_choices_are_numbered_without_a_gap() -> None:
    numbers = [int(n) for n in re.findall(r"^(\d+)\. ", section(WIRE, "## Choices of the emulator"), re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 19, "the first 19 are those of the specification"


def test_the_languages_with_a_voice_are_listed() -> None:
    text = section((ROOT / "docs" / "voices.md").read_text(encoding="utf-8"), "## Languages")
    listed = next(part for part in text.split("\n\n") if part.lstrip().startswith("`ko` `en`"))
    assert re.findall(r"`([a-z]{2})`", listed) == list(VOICES)


def slugs(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name) if name else page
        assert file.exists(), target
        assert ROOT in file.resolve().parents, target
        assert not anchor or anchor in slugs(file), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_has_a_path_of_some_machine(page: Path) -> None:
    found = re.findall(
        r"(?<![\w.:/])/(?:root|home|tmp|work|Users|private|var|opt)/\S*", page.read_text(encoding="utf-8")
    )
    assert not found
    assert str(ROOT) not in page.read_text(encoding="utf-8")


def test_every_page_of_the_guide_is_linked_from_another() -> None:
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in PAGES
        for target in re.findall(r"\]\(([^)\s:]+)\)", page.read_text(encoding="utf-8"))
        if target.partition("#")[0]
    }
    assert {page.name for page in PAGES if page.resolve() not in linked} == set()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_with_the_documented_code(sent: signal.Signals, tmp_path: Path) -> None:
    assert "Exit code 0 after a signal" in section(CONFIGURATION, "### serve")
    server = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve", "--port", "0", "--data", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert server.stderr is not None
    with server, server.stderr as log:
        assert any("ready after" in line for line in log)
        server.send_signal(sent)
        rest = log.read()
    assert server.returncode == 0, rest


def test_the_frames_shown_have_the_keys_of_a_frame_in_order() -> None:
    orders = {
        tuple(field.name for field in dataclasses.fields(kind))
        for _, kind in inspect.getmembers(frames, dataclasses.is_dataclass)
    }
    block = re.search(r"```json\n(.*?)```", section(WIRE, "## A turn"), re.DOTALL)
    assert block
    shown = [json.loads(line) for line in block[1].splitlines()]
    assert [frame["status"] for frame in shown] == ["START", "history", "stream", "voice_ready", "END"]
    assert all(tuple(frame) in orders for frame in shown)
