"""Who may use the control plane, and how it is switched off."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from starlette.requests import Request

from app.addresses import is_loopback
from app.control.access import Access
from app.control.refusals import Refused
from app.main import create_app
from app.settings import ControlSettings, Settings, load_settings
from tests.control.conftest import Control, plain_fixtures
from tests.live import LiveServer

TOKEN = "a-token-for-tests"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("guarded")
    fixtures = plain_fixtures(folder / "fixtures")
    with LiveServer(folder / "data", fixtures=fixtures, control={"token": TOKEN}) as server:
        yield server


def test_a_token_that_is_set_must_be_shown(guarded: LiveServer) -> None:
    for headers in ({}, {"authorization": f"Bearer {TOKEN}x"}, {"authorization": f"Basic {TOKEN}"}):
        with Control(guarded, **headers).http as client:
            for method, path in (("GET", "/"), ("POST", "/reset"), ("GET", "/journal/feed"), ("DELETE", "/faults")):
                answer = client.request(method, path)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
                assert answer.json()["message"].startswith("token: expected the token of the control plane")
                assert TOKEN not in answer.text


def test_a_token_may_come_as_a_bearer_or_in_the_query(guarded: LiveServer) -> None:
    bearer = Control(guarded, authorization=f"Bearer {TOKEN}")
    assert bearer.get("/clock")["frozen"] is False
    plain = Control(guarded)
    assert plain.get("/clock", token=TOKEN)["frozen"] is False
    assert plain.get("/journal", token=TOKEN, limit=1)["entries"] == []
    for one in (bearer, plain):
        one.http.close()


@pytest.mark.parametrize("shown", ["ä", "", " ", "토큰"])
def test_a_token_that_is_no_ascii_is_just_another(guarded: LiveServer, shown: str) -> None:
    assert httpx.get(f"{guarded.http}/_emulator/clock", params={"token": shown}).status_code == 401


def test_with_a_token_a_page_of_another_origin_may_ask_it_under_any_name(guarded: LiveServer) -> None:
    headers = {"authorization": f"Bearer {TOKEN}", "origin": "https://example.com", "host": "example.com"}
    assert httpx.get(f"{guarded.http}/_emulator/clock", headers=headers).status_code == 200


def test_health_and_the_description_need_no_token(guarded: LiveServer) -> None:
    for path in ("health", "health/ready", "health/live", "docs", "openapi.json"):
        assert httpx.get(f"{guarded.http}/_emulator/{path}").status_code == 200, path


def test_a_token_in_a_query_is_in_no_log_and_not_in_the_journal(
    guarded: LiveServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        httpx.get(f"{guarded.http}/_emulator/journal", params={"token": TOKEN})
        answer = httpx.get(f"{guarded.http}/v3/room/uid/", params={"token": TOKEN})
        assert answer.status_code == 200
        told = httpx.get(f"{guarded.http}/_emulator/journal", params={"token": TOKEN}).text
    assert TOKEN not in told
    assert TOKEN not in str(guarded.app.state.access)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": "http://[::1"},
        {"origin": "http://127.0.0.1:x"},
        {"host": "["},
        {"origin": "http://127.0.0.1.evil.example:8765"},
        {"origin": "http://localhost.evil.example"},
        {"host": "evil.example"},
        {"host": "evil.example:8765"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "192.168.1.5:8765"},
        {"host": ""},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
    ],
)
def test_without_a_token_pages_of_elsewhere_and_names_of_others_are_refused(
    control: Control, headers: dict[str, str]
) -> None:
    control.post("/faults", {"fault": "hang"}, 201)
    for method, path in (("POST", "/reset"), ("GET", "/journal"), ("DELETE", "/faults")):
        message = control.refused(403, method, path, headers=headers)
        assert message.startswith(("host: ", "origin: "))
        assert "token" in message
    assert len(control.get("/faults")["faults"]) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://localhost:3000"},
        {"origin": "http://127.0.0.1:5173"},
        {"origin": "http://[::1]:5173"},
        {"origin": "http://app.localhost"},
        {"host": "localhost:1"},
        {"host": "[::1]:1"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
        {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"},
    ],
)
def test_without_a_token_this_machine_may_ask(control: Control, headers: dict[str, str]) -> None:
    assert control.ask("GET", "/clock", headers=headers)["frozen"] is False


def test_a_form_of_another_site_may_not_do_anything(control: Control) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    for method, path in (("POST", "/reset"), ("DELETE", "/faults"), ("PUT", "/spaces/test/credit")):
        assert control.refused(403, method, path, headers=headers).startswith("origin: ")
    assert control.ask("GET", "/clock", headers=headers)["frozen"] is False


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_token_that_is_no_ascii_opens_from_a_header_and_a_query(encoding: str) -> None:
    access = Access.of(Settings(control=ControlSettings(token=SecretStr("geheimnisträger"))))
    header = "geheimnisträger".encode(encoding).decode("latin-1")
    for shown in (header, "geheimnisträger"):
        access.check(Request({"type": "http", "headers": [], "method": "GET", "path": "/"}), shown)
    with pytest.raises(Refused):
        access.check(Request({"type": "http", "headers": [], "method": "GET", "path": "/"}), "geheimnistrager")


def test_origins_of_the_settings_may_ask_but_a_star_allows_none() -> None:
    named = Access.of(Settings(cors="https://app.example, https://other.example/"))
    assert named.origins == {"https://app.example", "https://other.example"}
    assert Access.of(Settings(cors="*")).origins == frozenset()


def test_a_browser_may_use_every_method_after_a_preflight(control: Control) -> None:
    for method in ("PUT", "PATCH", "DELETE"):
        asked = {"origin": "http://localhost:3000", "access-control-request-method": method}
        answer = control.http.options("/faults", headers=asked)
        assert answer.status_code == 200
        assert method in answer.headers["access-control-allow-methods"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", ""])
def test_a_token_is_made_where_others_can_call(host: str) -> None:
    access = Access.of(Settings(host=host, seed=1))
    assert access.made is not None
    assert access.made == access.token
    assert len(access.made) == 32
    assert Access.of(Settings(host=host, seed=1)).made != access.made
    assert access.made not in repr(access)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"])
def test_no_token_is_made_where_only_this_machine_can_call(host: str) -> None:
    assert is_loopback(host)
    assert Access.of(Settings(host=host)).token is None


def test_no_token_is_made_in_place_of_one_that_is_set_or_for_a_plane_that_is_off() -> None:
    given = Settings(host="0.0.0.0", control=ControlSettings(token=SecretStr("mine")))
    assert (Access.of(given).token, Access.of(given).made) == ("mine", None)
    assert Access.of(Settings(host="0.0.0.0", control=ControlSettings(enabled=False))).made is None


def test_switched_off_there_is_nothing_but_the_health_check(tmp_path: Path) -> None:
    fixtures = plain_fixtures(tmp_path / "fixtures")
    paths = {path for path in create_app(Settings()).openapi()["paths"] if path.startswith("/_emulator")}
    with LiveServer(tmp_path / "data", fixtures=fixtures, control={"enabled": False}) as server:
        client = httpx.Client(base_url=server.http)
        for path in (*paths, "/_emulator/docs", "/_emulator/openapi.json"):
            asked = client.get(path.replace("{", "").replace("}", ""))
            assert asked.status_code == (200 if "/health" in path else 404), path
        assert client.post("/_emulator/reset").status_code == 404
        client.close()


def test_an_empty_token_counts_as_none() -> None:
    assert Access.of(load_settings(control={"token": ""})).token is None


@pytest.mark.parametrize(("cors", "cookies"), [("*", None), ("http://localhost:5173/, https://app.example", "true")])
def test_pages_of_named_origins_may_send_cookies(tmp_path: Path, cors: str, cookies: str | None) -> None:
    with LiveServer(tmp_path, cors=cors, watch=False) as server:
        answer = httpx.get(f"{server.http}/health", headers={"origin": "http://localhost:5173"})
        assert answer.headers.get("access-control-allow-credentials") == cookies
        assert answer.headers["access-control-allow-origin"] == ("http://localhost:5173" if cookies else "*")
        other = httpx.get(f"{server.http}/health", headers={"origin": "http://other.example"})
        assert other.headers.get("access-control-allow-origin") == (None if cookies else "*")
